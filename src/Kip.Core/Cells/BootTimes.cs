using System.Collections.Concurrent;

namespace Kip.Cells;

/// <summary>
/// How long boots took of late, by instance type, and so from when on one has stalled: three times the longest of the last ones. A boot
/// that was given up counts as one that took so long, so a type whose boots become slow is soon waited for again.
/// </summary>
/// <param name="most">The longest that any boot is waited for.</param>
internal sealed class BootTimes(TimeSpan most)
{
    private const int Enough = 10;
    private const int Kept = 100;
    private const int Patience = 3;

    // Many that boot at once on one machine take longer than those before them.
    private static readonly TimeSpan Least = TimeSpan.FromMinutes(2);

    private readonly ConcurrentDictionary<string, Queue<TimeSpan>> _byType = new(StringComparer.Ordinal);

    /// <summary>How long a boot may take.</summary>
    /// <param name="instanceType">Name of the type.</param>
    public TimeSpan LimitFor(string instanceType)
    {
        if (!_byType.TryGetValue(instanceType, out var boots))
        {
            return most;
        }

        lock (boots)
        {
            var seconds = boots.Count < Enough ? most.TotalSeconds : Math.Max(Patience * boots.Max().TotalSeconds, Least.TotalSeconds);
            return TimeSpan.FromSeconds(Math.Min(seconds, most.TotalSeconds));
        }
    }

    /// <summary>A boot has ended, or was given up.</summary>
    /// <param name="instanceType">Name of the type.</param>
    /// <param name="took">How long it took.</param>
    public void Add(string instanceType, TimeSpan took)
    {
        var boots = _byType.GetOrAdd(instanceType, static _ => new Queue<TimeSpan>());
        lock (boots)
        {
            boots.Enqueue(took);
            if (boots.Count > Kept)
            {
                boots.Dequeue();
            }
        }
    }
}
