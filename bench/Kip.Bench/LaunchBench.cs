using System.Collections.Concurrent;
using System.Diagnostics;
using Kip.Cells;
using Kip.Drivers;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using static Kip.Bench.StormBench;

namespace Kip.Bench;

/// <summary>From a pod's coming to its launch call, in real time, with records on the disk: what the controller itself takes.</summary>
internal static class LaunchBench
{
    private const int PodsPerSecond = 50;
    private const int Pods = 1000;

    public static async Task RunAsync(string storePath)
    {
        var seen = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        var launched = new ConcurrentBag<double>();
        using var cloud = new SimulatedCloud(TimeProvider.System, new SimulatedCloudOptions
        {
            KeepsHistory = false,
            CallTime = TimeSpan.Zero,
            Plan = static _ => new InstancePlan { RunningAfter = TimeSpan.Zero, AgentReadyAfter = TimeSpan.FromSeconds(1) },
            RateLimits = new Dictionary<CloudAction, RateLimit> { [CloudAction.Launch] = new(2 * PodsPerSecond, 2 * PodsPerSecond), [CloudAction.Terminate] = new(5, 100) },
            Script = static _ => PodScript.RunsFor(TimeSpan.FromSeconds(2)),
            Faults = call =>
            {
                if (call.Request is { } request && seen.TryRemove(request.Tags[InstanceTags.PodName], out var at))
                {
                    launched.Add(Stopwatch.GetElapsedTime(at).TotalMilliseconds);
                }

                return null;
            },
        });
        using var store = await SqliteCellStore.OpenAsync(storePath, default);
        await using var manager = new CellManager(
            new CellManagerOptions { Owner = "launch", ControllerCa = "pem" },
            cloud.CreateDriver("launch"),
            store,
            cloud.CreateConnector(),
            TimeProvider.System,
            NullLogger<CellManager>.Instance);
        await manager.StartAsync(default);
        var cells = new List<Task<Cell>>();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / PodsPerSecond));
        for (var i = 0; i < Pods; i++)
        {
            var pod = NewPod(i);
            seen[pod.Metadata.Name!] = Stopwatch.GetTimestamp();
            cells.Add(manager.RunPodAsync(pod, default));
            await timer.WaitForNextTickAsync();
        }

        foreach (var cell in await Task.WhenAll(cells))
        {
            await cell.Gone;
        }

        var sorted = launched.Order().ToList();
        Print($"pod seen to launch call, {PodsPerSecond} pods/s", $"p50 {sorted[sorted.Count / 2]:0.0} ms, p99 {sorted[sorted.Count * 99 / 100]:0.0} ms, in real time, of {sorted.Count} pods");
    }
}
