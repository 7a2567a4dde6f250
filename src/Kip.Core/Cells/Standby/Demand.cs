using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Cells;

/// <summary>The cells of one kind: what a pod takes one of, it could take any of.</summary>
internal readonly record struct StandbyShape(string InstanceType, string Zone, CapacityType CapacityType);

/// <summary>What a cell without a pod is to be.</summary>
/// <param name="Request">What pods ask for that may take it.</param>
/// <param name="Images">Images that it pulls while it waits.</param>
internal sealed record StandbyPlan(CellRequest Request, IReadOnlyList<string> Images);

/// <summary>
/// How many cells of which shape the pods of the last half hour would have found ready, had there been that many: as many as came, at
/// the most, within the time that a new cell takes. Not safe for use from many threads.
/// </summary>
internal sealed class Demand(TimeProvider time)
{
    private const int Seconds = 1800;

    // A boot that hangs must not make the pool large.
    private static readonly TimeSpan LongestBoot = TimeSpan.FromMinutes(5);

    private readonly Dictionary<StandbyShape, Arrivals> _arrivals = [];
    private readonly long _epoch = time.GetTimestamp();

    /// <summary>How long a cell takes from its plan to its agent's first word, on average of late.</summary>
    public TimeSpan LeadTime { get; private set; } = TimeSpan.FromSeconds(30);

    /// <summary>A cell took this long.</summary>
    public void Booted(TimeSpan took)
    {
        const double weight = 0.2;
        LeadTime = (LeadTime * (1 - weight)) + ((took < LongestBoot ? took : LongestBoot) * weight);
    }

    /// <summary>A pod came.</summary>
    /// <param name="chosen">What is best for it.</param>
    /// <param name="plan">What it asks for, and its images.</param>
    public void Arrived(Candidate chosen, StandbyPlan plan)
    {
        var shape = new StandbyShape(chosen.Type.Name, chosen.Offering.Zone, chosen.Offering.CapacityType);
        if (chosen.AttachedGpus is not null || chosen.PricePerHour is not { } price)
        {
            return; // what is made to measure fits nobody else, and what has no price no budget
        }

        if (!_arrivals.TryGetValue(shape, out var arrivals))
        {
            _arrivals[shape] = arrivals = new Arrivals();
        }

        (arrivals.Price, arrivals.Plan) = (price, plan);
        arrivals.Add(Now);
    }

    /// <summary>What to keep ready within a budget: the most pods for a dollar first.</summary>
    /// <param name="dollarsPerHour">The budget.</param>
    public Dictionary<StandbyShape, (int Count, StandbyPlan Plan)> Forecast(decimal dollarsPerHour)
    {
        var now = Now;
        var wanted = new Dictionary<StandbyShape, (int, StandbyPlan)>();
        var worth = new List<(double PerDollar, StandbyShape Shape, Arrivals Arrivals, int Peak)>();
        foreach (var (shape, arrivals) in _arrivals)
        {
            var (total, peak) = arrivals.Count(now, Math.Max(1, (int)Math.Ceiling(LeadTime.TotalSeconds)));
            if (total == 0)
            {
                _arrivals.Remove(shape);
            }
            else if (total > 1)
            {
                // One pod is not a demand.
                worth.Add((total / (double)Math.Max(arrivals.Price, 0.0001m), shape, arrivals, peak));
            }
        }

        foreach (var (_, shape, arrivals, peak) in worth.OrderByDescending(static w => w.PerDollar).ThenBy(static w => w.Shape.InstanceType, StringComparer.Ordinal))
        {
            var affordable = arrivals.Price == 0 ? peak : (int)Math.Min(peak, dollarsPerHour / arrivals.Price);
            if (affordable > 0)
            {
                wanted[shape] = (affordable, arrivals.Plan!);
                dollarsPerHour -= affordable * arrivals.Price;
            }
        }

        return wanted;
    }

    private long Now => (long)time.GetElapsedTime(_epoch).TotalSeconds;

    /// <summary>How many came in each second of the last half hour.</summary>
    private sealed class Arrivals
    {
        private readonly int[] _counts = new int[Seconds];
        private long _newest;

        public decimal Price { get; set; }

        public StandbyPlan? Plan { get; set; }

        public void Add(long now)
        {
            Forget(now);
            _counts[now % Seconds]++;
        }

        public (int Total, int Peak) Count(long now, int window)
        {
            Forget(now);
            var (total, inWindow, peak) = (0, 0, 0);
            for (var i = 0; i < Seconds; i++)
            {
                var second = now - Seconds + 1 + i;
                var count = At(second);
                total += count;
                inWindow += count - (i >= window ? At(second - window) : 0);
                peak = Math.Max(peak, inWindow);
            }

            return (total, peak);
        }

        private int At(long second) => second < 0 ? 0 : _counts[second % Seconds];

        private void Forget(long now)
        {
            for (var second = Math.Max(_newest + 1, now - Seconds + 1); second <= now; second++)
            {
                _counts[second % Seconds] = 0;
            }

            _newest = Math.Max(_newest, now);
        }
    }
}
