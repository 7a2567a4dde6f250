using Kip.Drivers;
using Kip.Sizing;
using Microsoft.Extensions.Logging;

namespace Kip.Pacing;

/// <summary>
/// A driver that is called no faster than its cloud allows: launches in a fair order (enter <see cref="Launches"/> before each), terminations
/// together, and what image a name stands for is asked once a minute.
/// </summary>
internal sealed partial class PacedDriver : ICellDriver, IDisposable
{
    // A machine that ends so much later costs nothing worth a call.
    private static readonly TimeSpan GatherTime = TimeSpan.FromSeconds(0.5);

    private static readonly TimeSpan ImageLifetime = TimeSpan.FromMinutes(1);

    private readonly ICellDriver _driver;
    private readonly CallLimits? _limits;
    private readonly TimeSpan _callTimeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Pace _lists;
    private readonly Pace _terminations;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _lifetime = new();
    private Batch? _gathering;
    private (string Reference, Task<string> Id, long Since)? _image;

    /// <param name="driver">The driver.</param>
    /// <param name="callTimeout">Bound of a call that is made for several callers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told when the cloud refuses calls as too many.</param>
    public PacedDriver(ICellDriver driver, TimeSpan callTimeout, TimeProvider time, ILogger logger)
    {
        (_driver, _callTimeout, _time, _logger) = (driver, callTimeout, time, logger);
        _limits = driver.Description.Limits;
        _lists = new Pace(_limits?.List, time);
        _terminations = new Pace(_limits?.Terminate, time);
        Launches = new LaunchQueue(_limits, time);
    }

    /// <summary>Where launches wait for their turn.</summary>
    public LaunchQueue Launches { get; }

    public DriverDescription Description => _driver.Description;

    /// <summary>The driver, if it can attach volumes. Pods with volumes are few beside launches: these calls are not held back.</summary>
    public IVolumeAttacher? Volumes => _driver as IVolumeAttacher;

    /// <summary>The driver, if it can route to cells. Seldom called either.</summary>
    public ICellRouter? Router => _driver as ICellRouter;

    public void Dispose()
    {
        _lifetime.Cancel();
        _lifetime.Dispose();
        Launches.Dispose();
    }

    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => _driver.GetCatalogAsync(cancellationToken);

    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_image is not { } known || known.Reference != reference || known.Id.IsFaulted || known.Id.IsCanceled || _time.GetElapsedTime(known.Since) > ImageLifetime)
            {
                known = (reference, BoundedAsync(token => _driver.ResolveImageAsync(reference, token)), _time.GetTimestamp());
                _image = known;
            }

            return known.Id.WaitAsync(cancellationToken);
        }
    }

    public async Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await _driver.LaunchAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (DriverException e) when (e.Kind != DriverErrorKind.Transient)
        {
            Launches.ReturnInstance();
            if (e.Kind == DriverErrorKind.Throttled && Launches.SlowDown())
            {
                LogThrottled("launches", e.Message);
            }

            throw;
        }
    }

    public async Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken)
    {
        await _lists.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await _driver.ListAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (DriverException e) when (e.Kind == DriverErrorKind.Throttled && _lists.SlowDown())
        {
            LogThrottled("lists", e.Message);
            throw;
        }
    }

    public async Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(instanceIds);
        cancellationToken.ThrowIfCancellationRequested();
        if (_limits?.Terminate is null || instanceIds.Count == 0)
        {
            await TerminateNowAsync(instanceIds, cancellationToken).ConfigureAwait(false);
            return;
        }

        var batch = Join(instanceIds);
        try
        {
            await batch.Ending.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (DriverException e) when (!e.IsRetryable && batch.Callers > 1)
        {
            // One that the cloud does not let go must not keep the others.
            await TerminateNowAsync(instanceIds, cancellationToken).ConfigureAwait(false);
        }
    }

    private Batch Join(IReadOnlyCollection<string> instanceIds)
    {
        lock (_gate)
        {
            if (_gathering is null)
            {
                _gathering = new Batch();
                _gathering.Ending = EndAsync(_gathering);
            }

            _gathering.Add(instanceIds);
            return _gathering;
        }
    }

    private async Task EndAsync(Batch batch)
    {
        var stop = _lifetime.Token;
        await Task.Delay(GatherTime, _time, stop).ConfigureAwait(false);
        await _terminations.WaitAsync(stop).ConfigureAwait(false);
        _terminations.Return(); // each call takes its own
        string[] ids;
        lock (_gate)
        {
            _gathering = null;
            ids = [.. batch.Ids];
        }

        await BoundedAsync(async token =>
        {
            await TerminateNowAsync(ids, token).ConfigureAwait(false);
            return ids;
        }).ConfigureAwait(false);
    }

    /// <summary>A call for several callers: it ends with none of them.</summary>
    private async Task<T> BoundedAsync<T>(Func<CancellationToken, Task<T>> call)
    {
        var stop = _lifetime.Token;
        using var timeout = new CancellationTokenSource(_callTimeout, _time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stop);
        try
        {
            return await call(bounded.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!stop.IsCancellationRequested)
        {
            throw new DriverException(DriverErrorKind.Transient, $"the cloud did not answer within {_callTimeout.TotalSeconds:0} s", e);
        }
    }

    private async Task TerminateNowAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
    {
        IReadOnlyCollection<IReadOnlyCollection<string>> calls = _limits is { Terminate: not null } && instanceIds.Count > _limits.TerminateAtOnce
            ? [.. instanceIds.Chunk(_limits.TerminateAtOnce)]
            : [instanceIds];
        foreach (var ids in calls)
        {
            await _terminations.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await _driver.TerminateAsync(ids, cancellationToken).ConfigureAwait(false);
            }
            catch (DriverException e) when (e.Kind == DriverErrorKind.Throttled && _terminations.SlowDown())
            {
                LogThrottled("terminations", e.Message);
                throw;
            }
        }
    }

    [LoggerMessage(60, LogLevel.Warning, "The cloud takes no more {Calls} now, though they were within its limits: others use the account too. They go slower for a while ({Problem})")]
    private partial void LogThrottled(string calls, string problem);

    /// <summary>Terminations that are asked for in one call. Guarded by the gate of the driver until the call is made.</summary>
    private sealed class Batch
    {
        public HashSet<string> Ids { get; } = new(StringComparer.Ordinal);

        public int Callers { get; private set; }

        public Task Ending { get; set; } = Task.CompletedTask;

        public void Add(IReadOnlyCollection<string> ids)
        {
            Ids.UnionWith(ids);
            Callers++;
        }
    }
}
