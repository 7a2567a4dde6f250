namespace Kip.Cells;

/// <summary>
/// Lets a loop sleep until somebody rings or its regular look is due. What rings while the loop is awake ends its next sleep at once.
/// Safe to ring from many threads; one loop sleeps.
/// </summary>
internal sealed class Alarm(TimeProvider time)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _rung = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Ring()
    {
        lock (_lock)
        {
            _rung.TrySetResult();
        }
    }

    /// <summary>Sleeps.</summary>
    /// <param name="atMost">Until the regular look; zero or less to only forget that it rang.</param>
    /// <param name="cancellationToken">Ends the sleep.</param>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        Task rung;
        lock (_lock)
        {
            rung = _rung.Task;
        }

        if (atMost > TimeSpan.Zero)
        {
            // Without an exception when the time is over: that is how most sleeps end.
            await rung.WaitAsync(atMost, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }

        lock (_lock)
        {
            if (_rung.Task.IsCompleted)
            {
                _rung = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }
}
