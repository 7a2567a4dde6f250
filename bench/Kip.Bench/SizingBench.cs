using System.Diagnostics;
using System.Globalization;
using Kip.Catalogs;
using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Bench;

/// <summary>How long the choice of an instance type takes, what it allocates, and how long a built-in catalog takes to load.</summary>
internal static class SizingBench
{
    private const int Pods = 10_000;
    private const int Rankings = 500;
    private const int Seed = 20261122;

    public static void Run()
    {
        Console.WriteLine($"{Measured.Machine()}; {Pods} different pods, seed {Seed}; medians of 5 rounds, one thread");
        Console.WriteLine();
        Console.WriteLine("| cloud, region | offerings | load, first in this process | again | live after load | first choice | choices/s | by sorting all | allocated | whole ranking | allocated | its list alone |");
        Console.WriteLine("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        foreach (var (cloud, region) in new[] { ("aws", "us-east-1"), ("azure", "eastus"), ("gce", "us-central1") })
        {
            Measure(cloud, region);
        }
    }

    private static void Measure(string cloud, string region)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var begin = Stopwatch.GetTimestamp();
        var catalog = BuiltInCatalogs.Open(cloud).Load(region);
        var firstLoad = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        var live = GC.GetTotalMemory(forceFullCollection: true) - before;
        var load = Measured.Median(Rounds(() => BuiltInCatalogs.Open(cloud).Load(region)));
        var pods = Draw();

        var choose = Measured.Median(Rounds(() =>
        {
            foreach (var pod in pods)
            {
                InstanceSelector.First(pod, catalog);
            }
        })) * 1000 / Pods;
        var chooseBytes = Allocated(() =>
        {
            foreach (var pod in pods)
            {
                InstanceSelector.First(pod, catalog);
            }
        }) / Pods;

        var ranked = pods.Take(Rankings).ToList();
        var longest = pods.MaxBy(pod => InstanceSelector.Rank(pod, catalog).Count)!;
        var candidates = InstanceSelector.Rank(longest, catalog).Count;
        var rank = Measured.Median(Rounds(() =>
        {
            for (var i = 0; i < Rankings; i++)
            {
                InstanceSelector.Rank(longest, catalog);
            }
        })) / Rankings;
        var rankBytes = Allocated(() => InstanceSelector.Rank(longest, catalog));
        var listBytes = Allocated(() => _ = Fill(candidates));
        var sorted = Measured.Median(Rounds(() => ranked.ForEach(pod => Naive(pod, catalog)))) * 1000 / Rankings;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {cloud}, {region} | {catalog.Types.Sum(static t => t.Offerings.Count)} | {firstLoad:0} ms | {load:0} ms | {live / 1e6:0.0} MB | {choose:0.0} µs | {1e6 / choose:0} | {sorted:0} µs | {chooseBytes} B | {rank:0.00} ms ({candidates} candidates) | {rankBytes / 1000} kB | {listBytes / 1000} kB |"));
    }

    // What the result itself takes when it grows as it is filled.
    private static List<Candidate> Fill(int count)
    {
        var list = new List<Candidate>();
        for (var i = 0; i < count; i++)
        {
            list.Add(default);
        }

        return list;
    }

    // The plain way, for comparison: filter everything, sort it, take the first.
    private static Candidate? Naive(CellRequest request, InstanceCatalog catalog) => catalog.Types
        .SelectMany(static type => type.Offerings.Select(offering => new Candidate(type, offering, 0)))
        .Where(candidate =>
            request.CapacityTypes.Contains(candidate.Offering.CapacityType)
            && candidate.Type.MilliCpu >= request.Total.MilliCpu
            && MemorySizes.Usable(candidate.Type) >= request.Total.MemoryBytes)
        .OrderBy(static candidate => candidate.PricePerHour ?? decimal.MaxValue)
        .Cast<Candidate?>()
        .FirstOrDefault();

    private static List<CellRequest> Draw()
    {
        var random = new Random(Seed);
        IReadOnlyList<PlacementRule> rules = [new("arch", new LabelRequirement("kubernetes.io/arch", LabelOperator.In, ["amd64"]))];
        return [.. Enumerable.Range(0, Pods).Select(_ =>
        {
            var milliCpu = (long)Math.Exp(random.NextDouble() * Math.Log(64_000));
            return new CellRequest
            {
                Pod = new ResourceRequest(milliCpu, (long)(milliCpu / 1000.0 * (0.5 + (random.NextDouble() * 8)) * (1 << 30)), 0),
                CapacityTypes = random.Next(2) == 0 ? [CapacityType.OnDemand] : [CapacityType.Spot, CapacityType.OnDemand],
                Rules = rules,
            };
        })];
    }

    private static List<double> Rounds(Action action)
    {
        action();
        return [.. Enumerable.Range(0, 5).Select(_ =>
        {
            var begin = Stopwatch.GetTimestamp();
            action();
            return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        })];
    }

    private static long Allocated(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
