using Kip.Drivers;

namespace Kip.Pacing;

/// <summary>
/// One of the cloud's token buckets, counted on this side. When the cloud says that it was too fast all the same, because others use the
/// account, it goes slower for a while. Safe to use from many threads.
/// </summary>
/// <param name="limit">What the cloud allows; null for no limit.</param>
/// <param name="time">The clock.</param>
internal sealed class Pace(RateLimit? limit, TimeProvider time)
{
    private const double Slowest = 1.0 / 16;
    private const double Whole = 1 - 1e-9; // what adding up fractions makes of 1

    // From half the rate back to all of it.
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(20);

    // What was under way together is refused together: that is one refusal.
    private static readonly TimeSpan SameRefusal = TimeSpan.FromSeconds(1);

    // Calls arrive in the cloud nearer to each other than they were sent, by up to so long.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(0.5);

    private readonly Lock _gate = new();
    private readonly int _burst = limit is null ? 0 : Math.Max(1, limit.Burst - (int)Math.Ceiling(limit.PerSecond * Slack.TotalSeconds));
    private double _tokens = double.MaxValue; // cut to the burst when it is first looked at
    private double _share = 1;
    private long _countedAt = time.GetTimestamp();
    private long? _refusedAt;

    /// <summary>The share of the cloud's rate that it goes at, more than 0 to 1.</summary>
    public double Share
    {
        get
        {
            lock (_gate)
            {
                Count();
                return _share;
            }
        }
    }

    /// <summary>How long until so many calls may have been made, from now, in whole milliseconds; zero for now.</summary>
    public TimeSpan TimeFor(int calls)
    {
        if (limit is null)
        {
            return TimeSpan.Zero;
        }

        lock (_gate)
        {
            Count();
            var missing = (calls * Whole) - _tokens;
            // Whole milliseconds: a delay of less is none, and who waits by it would turn in circles.
            return missing <= 0 ? TimeSpan.Zero : TimeSpan.FromMilliseconds(Math.Ceiling(missing / (limit.PerSecond * _share) * 1000));
        }
    }

    /// <summary>Counts a call; more than may be made now are a debt that is waited for later.</summary>
    public void Take() => Add(-1);

    /// <summary>The call was not made, or did not count.</summary>
    public void Return() => Add(1);

    /// <summary>Waits until a call may be made, and counts it. In no order.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            TimeSpan wait;
            lock (_gate)
            {
                wait = TimeFor(1);
                if (wait == TimeSpan.Zero)
                {
                    Take();
                    return;
                }
            }

            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The cloud has refused a call as one too many: half as fast from now on, faster again by and by.</summary>
    /// <returns>Whether it goes slower than before.</returns>
    public bool SlowDown()
    {
        lock (_gate)
        {
            if (limit is null || (_refusedAt is { } last && time.GetElapsedTime(last) < SameRefusal))
            {
                return false;
            }

            Count();
            _refusedAt = time.GetTimestamp();
            _share = Math.Max(_share / 2, Slowest);
            _tokens = Math.Min(_tokens, 0);
            return true;
        }
    }

    private void Add(int tokens)
    {
        if (limit is not null)
        {
            lock (_gate)
            {
                Count();
                _tokens += tokens;
            }
        }
    }

    private void Count()
    {
        if (limit is not null)
        {
            var now = time.GetTimestamp();
            var elapsed = time.GetElapsedTime(_countedAt, now).TotalSeconds;
            _countedAt = now;
            _tokens = Math.Min(Math.Max(1, _burst * _share), _tokens + (elapsed * limit.PerSecond * _share));
            _share = Math.Min(1, _share + (elapsed / 2 / Recovery.TotalSeconds));
        }
    }
}
