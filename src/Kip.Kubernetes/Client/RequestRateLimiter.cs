namespace Kip.Kubernetes.Client;

/// <summary>A token bucket: calls take turns so that in the long run no more than so many per second are made.</summary>
internal sealed class RequestRateLimiter(double perSecond, int burst, TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly long _start = timeProvider.GetTimestamp();

    // When the bucket will be full again, as time since the start: each call moves it by its share.
    private TimeSpan _full;

    public ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        var share = TimeSpan.FromSeconds(1 / perSecond);
        TimeSpan wait;
        lock (_lock)
        {
            var now = timeProvider.GetElapsedTime(_start);
            _full = (_full > now ? _full : now) + share;
            wait = _full - now - (share * burst);
        }

        return wait <= TimeSpan.Zero ? ValueTask.CompletedTask : new(Task.Delay(wait, timeProvider, cancellationToken));
    }
}
