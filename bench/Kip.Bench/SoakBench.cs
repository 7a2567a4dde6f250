using System.Diagnostics;
using Kip.Tests.Support;
using static Kip.Bench.StormBench;

namespace Kip.Bench;

/// <summary>Pods that come and go for an hour of virtual time while everything that can fail does.</summary>
internal static class SoakBench
{
    private const double PodsPerSecond = 10;

    public static async Task<int> RunAsync(int minutes, int seed)
    {
        Console.WriteLine($"{PodsPerSecond} pods/s for {minutes} minutes of virtual time, seed {seed}; {Measured.Machine()}");
        var begin = Stopwatch.GetTimestamp();
        using var soak = new Soak(seed, TimeSpan.FromMinutes(minutes), PodsPerSecond);
        await soak.RunAsync(TimeSpan.FromMinutes(Math.Max(1, minutes / 12)), static (elapsed, cells) =>
            Print($"after {elapsed.TotalMinutes:0} min", $"{cells} cells, {GC.GetTotalMemory(forceFullCollection: true) / 1e6:0.0} MB live"));

        Print("pods", $"{soak.Pods}");
        foreach (var (end, count) in soak.Ends.OrderByDescending(static e => e.Value))
        {
            Print($"  {end}", $"{count}");
        }

        Print("instances left, records left", $"{soak.Alive}, {soak.Records}");
        Print("rules broken", $"{soak.Violations.Count}");
        foreach (var violation in soak.Violations.Take(5))
        {
            Console.WriteLine($"  {violation}");
        }

        Print("pod seen to launch call, p50, p99", $"{At(soak.ToLaunch, 0.5):0.00} s, {At(soak.ToLaunch, 0.99):0.00} s");
        Print("pod seen to Running, p50, p99", $"{At(soak.ToRunning, 0.5):0.0} s, {At(soak.ToRunning, 0.99):0.0} s");
        Print("changing calls for each pod", $"{(double)soak.ChangingCalls / soak.Pods:0.00}");
        Print("calls throttled", $"{soak.Throttled}");
        Print("real time", $"{Stopwatch.GetElapsedTime(begin).TotalSeconds:0} s");
        return soak is { Alive: 0, Records: 0, Violations.Count: 0 } ? 0 : 1;
    }

    private static double At(IReadOnlyList<double> sorted, double share) => sorted.Count == 0 ? double.NaN : sorted[(int)(share * (sorted.Count - 1))];
}
