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
        await MeasureCloudAsync(2 * pods);
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
        using var directory = new TemporaryStore();
        await LaunchBench.RunAsync(directory.Path);
        using var store = await SqliteCellStore.OpenAsync(directory.Path, default);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var begin = Stopwatch.GetTimestamp();
        var processor = Process.GetCurrentProcess().TotalProcessorTime;
        TimeSpan running = default, stopped = default, gone = default;
        int launches = 0, terminations = 0;
        long memory = 0;
        TimeSpan restart = default, virtualRestart = default;
        await clock.RunAsync(
            async () =>
            {
                var manager = Make();
                await manager.StartAsync(default);
                var cells = await Task.WhenAll(Enumerable.Range(0, pods).Select(i => manager.RunPodAsync(NewPod(i), default)));
                await Task.WhenAll(cells.Select(UntilRunningAsync));
                running = clock.Elapsed;
                launches = cloud.CountCalls(CloudAction.Launch);
                terminations = cloud.CountCalls(CloudAction.Terminate);
                memory = GC.GetTotalMemory(forceFullCollection: true) - before;

                await manager.DisposeAsync();
                var (restartedAt, restartedAtVirtual) = (Stopwatch.GetTimestamp(), clock.Elapsed);
                manager = Make();
                await manager.StartAsync(default);
                cells = [.. manager.Cells];
                if (cells.Length != pods)
                {
                    throw new InvalidOperationException($"{cells.Length} of {pods} cells were taken up again");
                }

                await Task.WhenAll(cells.Select(UntilRunningAsync));
                (restart, virtualRestart) = (Stopwatch.GetElapsedTime(restartedAt), clock.Elapsed - restartedAtVirtual);

                stopped = clock.Elapsed;
                await Task.WhenAll(cells.Select(static c => c.StopPodAsync(TimeSpan.Zero, default)));
                await Task.WhenAll(cells.Select(static c => c.Gone));
                gone = clock.Elapsed;
                await manager.DisposeAsync();

                CellManager Make() => new(
                    new CellManagerOptions { Owner = "storm", ControllerCa = "pem" },
                    cloud.CreateDriver("storm"),
                    store,
                    cloud.CreateConnector(),
                    clock,
                    NullLogger<CellManager>.Instance);
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
        Print("with all terminated again", $"{(double)(cloud.CountCalls(CloudAction.Launch) + cloud.CountCalls(CloudAction.Terminate)) / pods:0.000}, after {(gone - stopped).TotalSeconds:0.0} s");
        Print("lists", $"{cloud.CountCalls(CloudAction.List)}");
        Print("instances left, rules broken", $"{left}, {cloud.Violations.Count}");
        Print("live memory with all running", $"{memory / 1e6:0} MB, {memory / pods / 1024.0:0.0} KiB for each cell, cloud and agents included");
        Print("restart to all pods followed again", $"{restart.TotalSeconds:0.0} s, of virtual time {virtualRestart.TotalSeconds:0.0} s");
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

    /// <summary>What simulated cells cost by themselves.</summary>
    private static async Task MeasureCloudAsync(int instances)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var cloud = new SimulatedCloud(TimeProvider.System, new SimulatedCloudOptions { CallTime = TimeSpan.Zero, KeepsHistory = false });
        var driver = cloud.CreateDriver("bench");
        var begin = Stopwatch.GetTimestamp();
        for (var i = 0; i < instances; i++)
        {
            await driver.LaunchAsync(
                new LaunchRequest
                {
                    LaunchToken = i.ToString("x32", CultureInfo.InvariantCulture),
                    InstanceType = "sim.nano",
                    Zone = "sim-1a",
                    ImageId = "image-default",
                    DiskBytes = 0,
                    UserData = "{}",
                    Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = "bench", [InstanceTags.CellId] = $"cell-{i}" },
                },
                default);
        }

        var launched = Stopwatch.GetElapsedTime(begin);
        var memory = GC.GetTotalMemory(forceFullCollection: true) - before;
        await driver.ListAsync(default);
        begin = Stopwatch.GetTimestamp();
        const int lists = 10;
        for (var i = 0; i < lists; i++)
        {
            await driver.ListAsync(default);
        }

        Print($"{instances} simulated instances", $"{memory / instances / 1024.0:0.0} KiB each, {launched.TotalMicroseconds / instances:0} us to launch one, {Stopwatch.GetElapsedTime(begin).TotalMilliseconds / lists:0.0} ms to list them");
    }

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

    private sealed class TemporaryStore : IDisposable
    {
        private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("kip-storm-");

        public string Path => System.IO.Path.Combine(_directory.FullName, "kip.db");

        public void Dispose()
        {
            Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
            _directory.Delete(recursive: true);
        }
    }
}
