using Kip.Drivers;

namespace Kip.Testing;

/// <summary>Counts what a <see cref="RateLimit"/> allows. Not safe for many threads.</summary>
internal sealed class TokenBucket(RateLimit limit, TimeProvider clock)
{
    private const double Whole = 1 - 1e-9; // what adding up fractions makes of 1

    private double _tokens = limit.Burst;
    private long _filledAt = clock.GetTimestamp();

    public bool HasToken
    {
        get
        {
            var now = clock.GetTimestamp();
            _tokens = Math.Min(limit.Burst, _tokens + (clock.GetElapsedTime(_filledAt, now).TotalSeconds * limit.PerSecond));
            _filledAt = now;
            return _tokens >= Whole;
        }
    }

    public bool TryTake()
    {
        if (!HasToken)
        {
            return false;
        }

        _tokens--;
        return true;
    }
}
