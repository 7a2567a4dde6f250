using System.Diagnostics;
using System.Globalization;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Bench;

/// <summary>Many pods at once on a simulated cloud with EC2's token buckets and too little of the cheapest type, in virtual time.</summary>
internal static class StormBench
{
    private static readonly TimeSpan BootTime = TimeSpan.FromSeconds(20);

    public static async Task<int> RunAsync(int pods)
    {
        Console.WriteLine($"{pods} pods at once, launches 2/s burst 5, instances 2/s burst 1000, terminations 5/s burst 100, lists 20/s burst 100; {Measured.Machine()}");
        var clock = new VirtualClock();
        using var cloud = new SimulatedCloud(clock, new SimulatedCloudOptions
        {
            RateLimits = SimulatedCloudOptions.Ec2RateLimits,
            InstanceLimit = SimulatedCloudOptions.Ec2InstanceLimit,
            Plan = static _ => new InstancePlan { RunningAfter = TimeSpan.FromSeconds(10), AgentReadyAfter = BootTime },
            Script = static _ => new PodScript { Default = new ContainerScript { RunTime = null } },
        });
        cloud.SetCapacity("sim.nano", "sim-1a", CapacityType.OnDemand, pods / 4);
        cloud.SetCapacity("sim.nano", "sim-1b", CapacityType.OnDemand, 0);
        cloud.SetCapacity("sim.small", "sim-1a", CapacityType.OnDemand, pods / 4);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var begin = Stopwatch.GetTimestamp();
        var processor = Process.GetCurrentProcess().TotalProcessorTime;
        TimeSpan running = default, gone = default;
        int launches = 0, terminations = 0;
        long memory = 0;
        await clock.RunAsync(
            async () =>
            {
                await using var manager = new CellManager(
                    new CellManagerOptions { Owner = "storm", ControllerCa = "pem" },
                    cloud.CreateDriver("storm"),
                    new MemoryCellStore(),
                    cloud.CreateConnector(),
                    clock,
                    NullLogger<CellManager>.Instance);
                await manager.StartAsync(default);
                var cells = await Task.WhenAll(Enumerable.Range(0, pods).Select(i => manager.RunPodAsync(NewPod(i), default)));
                await Task.WhenAll(cells.Select(UntilRunningAsync));
                running = clock.Elapsed;
                launches = cloud.CountCalls(CloudAction.Launch);
                terminations = cloud.CountCalls(CloudAction.Terminate);
                memory = GC.GetTotalMemory(forceFullCollection: true) - before;
                await Task.WhenAll(cells.Select(static c => c.StopPodAsync(TimeSpan.Zero, default)));
                await Task.WhenAll(cells.Select(static c => c.Gone));
                gone = clock.Elapsed;
            },
            TimeSpan.FromDays(1));

        var least = TimeSpan.FromSeconds(Math.Max((pods - 5) / 2.0, (pods - 1000) / 2.0)) + BootTime;
        var throttled = cloud.Calls.Count(static c => c.Outcome == nameof(DriverErrorKind.Throttled));
        var refused = cloud.CountCalls(CloudAction.Launch, nameof(DriverErrorKind.OutOfCapacity));
        var left = cloud.Instances.Count(static i => i.IsAlive);
        Print("all run after", $"{running.TotalSeconds:0.0} s");
        Print("the least that the buckets allow", $"{least.TotalSeconds:0.0} s");
        Print("ratio", $"{running / least:0.000}");
        Print("throttled calls", $"{throttled}");
        Print("launch calls, of them refused", $"{launches}, {refused}");
        Print("changing calls for each cell", $"{(double)(launches + terminations) / pods:0.000}");
        Print("with all terminated again", $"{(double)(cloud.CountCalls(CloudAction.Launch) + cloud.CountCalls(CloudAction.Terminate)) / pods:0.000}, after {(gone - running).TotalSeconds:0.0} s");
        Print("lists", $"{cloud.CountCalls(CloudAction.List)}");
        Print("instances left, rules broken", $"{left}, {cloud.Violations.Count}");
        Print("live memory with all running", $"{memory / 1e6:0} MB, {memory / pods / 1024.0:0.0} KiB for each cell, cloud and agents included");
        Print("real time, processor time", $"{Stopwatch.GetElapsedTime(begin).TotalSeconds:0} s, {(Process.GetCurrentProcess().TotalProcessorTime - processor).TotalSeconds:0} s");
        return throttled == 0 && left == 0 && cloud.Violations.Count == 0 && running < 1.1 * least && launches + terminations <= 1.1 * pods ? 0 : 1;
    }

    internal static Pod NewPod(int number) => Manifest.ReadPod(
        $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: pod-{{number}}, namespace: default, uid: bench-{{number}}}
        spec:
          restartPolicy: Never
          containers: [{name: main, image: busybox}]
        """,
        "bench").Pod;

    internal static void Print(string what, FormattableString value) => Console.WriteLine($"{what,-38}{value.ToString(CultureInfo.InvariantCulture)}");

    private static async Task UntilRunningAsync(Cell cell)
    {
        await foreach (var update in cell.WatchAsync(default))
        {
            if (update.Status?.Phase == PodPhase.Running)
            {
                return;
            }
        }

        throw new InvalidOperationException($"{cell.Record.Id} is gone: {cell.Record.Reason}: {cell.Record.Message}");
    }
}
