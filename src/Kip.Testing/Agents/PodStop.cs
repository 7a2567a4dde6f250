namespace Kip.Testing;

/// <summary>The wish to end a pod, or a part of it. It can come once and be made more urgent.</summary>
internal sealed class PodStop(TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly Signal _changed = new();
    private DateTimeOffset? _killAt;

    public bool IsRequested => KillAt is not null;

    /// <summary>What is left of the grace period; null while there is no wish.</summary>
    public TimeSpan? Remaining => KillAt is { } killAt ? Max(killAt - clock.GetUtcNow(), TimeSpan.Zero) : null;

    private DateTimeOffset? KillAt
    {
        get
        {
            lock (_gate)
            {
                return _killAt;
            }
        }
    }

    public void Request(TimeSpan gracePeriod)
    {
        lock (_gate)
        {
            var killAt = clock.GetUtcNow() + gracePeriod;
            _killAt = _killAt < killAt ? _killAt : killAt;
        }

        _changed.Pulse();
    }

    /// <summary>Sleeps for a time, or until the wish comes when null; false when the wish came.</summary>
    public async Task<bool> SleepAsync(TimeSpan? time, CancellationToken cancellationToken)
    {
        var changed = _changed.Next;
        if (IsRequested)
        {
            return false;
        }

        if (time == TimeSpan.Zero)
        {
            return true;
        }

        return !await IsChangedWithinAsync(changed, time ?? Timeout.InfiniteTimeSpan, cancellationToken);
    }

    /// <summary>Waits for a container that needs a while to obey, or never does when null; false when it had to be killed.</summary>
    public async Task<bool> WaitForExitAsync(TimeSpan? stopTime, CancellationToken cancellationToken)
    {
        var exitAt = stopTime is { } time ? clock.GetUtcNow() + time : DateTimeOffset.MaxValue;
        while (true)
        {
            var changed = _changed.Next;
            var killAt = KillAt ?? DateTimeOffset.MaxValue;
            var wait = (exitAt < killAt ? exitAt : killAt) - clock.GetUtcNow();
            if (wait <= TimeSpan.Zero || !await IsChangedWithinAsync(changed, wait, cancellationToken))
            {
                return exitAt <= killAt;
            }
        }
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private async Task<bool> IsChangedWithinAsync(Task changed, TimeSpan time, CancellationToken cancellationToken)
    {
        try
        {
            await changed.WaitAsync(time, clock, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
