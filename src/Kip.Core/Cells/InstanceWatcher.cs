using Kip.Drivers;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>Lists the instances for all cells together: fast while somebody waits for a change, slowly otherwise, not at all for nobody.</summary>
internal sealed partial class InstanceWatcher(ICellDriver driver, TimeSpan callTimeout, TimeSpan idleInterval, TimeProvider time, ILogger logger)
{
    private const int SlowestEager = 20;
    private const double Slowdown = 1.4;

    private readonly Lock _lock = new();
    private readonly Alarm _asked = new(time);
    private List<TaskCompletionSource<InstanceList>> _waiters = [];
    private bool _eager;

    /// <summary>The next complete list whose call begins after this one.</summary>
    /// <param name="eager">As fast as the driver allows; otherwise whenever the next list is due.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<InstanceList> NextAsync(bool eager, CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource<InstanceList>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _waiters.Add(waiter);
            if (eager && !_eager)
            {
                _eager = true;
                _asked.Ring();
            }
        }

        return waiter.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Lists until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var eagerPause = driver.Description.ListInterval;
        var last = time.GetUtcNow() - idleInterval;
        while (true)
        {
            bool eager;
            lock (_lock)
            {
                eager = _eager;
            }

            if (!eager)
            {
                eagerPause = driver.Description.ListInterval;
            }

            await _asked.WaitAsync(eager ? TimeSpan.Zero : last + idleInterval - time.GetUtcNow(), cancellationToken).ConfigureAwait(false);
            lock (_lock)
            {
                eager = _eager;
                if (!eager && _waiters.Count == 0)
                {
                    last = time.GetUtcNow();
                    continue;
                }
            }

            if (eager && last + eagerPause - time.GetUtcNow() is var wait && wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
                eagerPause = TimeSpan.FromTicks((long)Math.Min(eagerPause.Ticks * Slowdown, driver.Description.ListInterval.Ticks * SlowestEager));
            }

            List<TaskCompletionSource<InstanceList>> waiters;
            lock (_lock)
            {
                waiters = _waiters;
                _waiters = [];
                _eager = false;
            }

            try
            {
                using var timeout = new CancellationTokenSource(callTimeout, time);
                using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
                var instances = new InstanceList(await driver.ListAsync(bounded.Token).ConfigureAwait(false));
                foreach (var waiter in waiters)
                {
                    waiter.TrySetResult(instances);
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // Whatever a driver throws, absence of an answer says nothing: those who wait go on waiting.
                LogListFailed(e.Message);
                lock (_lock)
                {
                    _waiters.AddRange(waiters);
                    _eager |= eager;
                }
            }

            last = time.GetUtcNow();
        }
    }

    [LoggerMessage(20, LogLevel.Warning, "The instances could not be listed: {Problem}")]
    private partial void LogListFailed(string problem);
}
