namespace Kip.Testing;

/// <summary>Counts the calls a <see cref="RateLimit"/> allows. Not safe for many threads.</summary>
internal sealed class TokenBucket(RateLimit limit, TimeProvider clock)
{
    private double _tokens = limit.Burst;
    private long _filledAt = clock.GetTimestamp();

    public bool TryTake()
    {
        var now = clock.GetTimestamp();
        _tokens = Math.Min(limit.Burst, _tokens + (clock.GetElapsedTime(_filledAt, now).TotalSeconds * limit.PerSecond));
        _filledAt = now;
        if (_tokens < 1)
        {
            return false;
        }

        _tokens--;
        return true;
    }
}
