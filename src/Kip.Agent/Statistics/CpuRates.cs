using Kip.Agents.Protocol;

namespace Kip.Agent.Statistics;

/// <summary>Makes rates out of processor times that only grow, from one question to the next.</summary>
internal sealed class CpuRates
{
    private const long Nanoseconds = 1_000_000_000;

    // Over less than this the counters' own steps would show.
    private const long ShortestInterval = Nanoseconds;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Time, long Usage, long? Rate)> _last = [];

    /// <summary>Processor time with the rate since the last time it was asked for.</summary>
    /// <param name="key">Whose it is.</param>
    /// <param name="unixNanoseconds">When it was measured.</param>
    /// <param name="usage">The total, in nanoseconds.</param>
    public CpuUsage Measure(string key, long unixNanoseconds, long usage)
    {
        long? rate = null;
        lock (_lock)
        {
            if (!_last.TryGetValue(key, out var last) || usage < last.Usage)
            {
                _last[key] = (unixNanoseconds, usage, null);
            }
            else if (unixNanoseconds - last.Time < ShortestInterval)
            {
                rate = last.Rate;
            }
            else
            {
                rate = (long)((Int128)(usage - last.Usage) * Nanoseconds / (unixNanoseconds - last.Time));
                _last[key] = (unixNanoseconds, usage, rate);
            }
        }

        var measured = new CpuUsage { TimeUnixMs = unixNanoseconds / 1_000_000, UsageCoreNanoSeconds = usage };
        if (rate is not null)
        {
            measured.UsageNanoCores = rate.Value;
        }

        return measured;
    }

    /// <summary>Forgets all but these.</summary>
    public void Keep(IReadOnlySet<string> keys)
    {
        lock (_lock)
        {
            foreach (var gone in _last.Keys.Where(key => !keys.Contains(key)).ToList())
            {
                _last.Remove(gone);
            }
        }
    }
}
