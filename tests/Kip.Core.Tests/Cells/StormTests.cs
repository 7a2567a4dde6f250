using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

/// <summary>More pods at once than the cloud takes launches, with EC2's token buckets.</summary>
public class StormTests
{
    private static readonly SimulatedCloudOptions Ec2 = new()
    {
        RateLimits = SimulatedCloudOptions.Ec2RateLimits,
        InstanceLimit = SimulatedCloudOptions.Ec2InstanceLimit,
        Script = _ => new PodScript { Default = new ContainerScript { RunTime = null } },
    };

    [Fact]
    public async Task Storm_WithScarceCapacity_IsNeverThrottledAndAsFastAsTheBucketsAllow()
    {
        const int pods = 150;
        await using var bench = await Bench.CreateAsync(Ec2);
        bench.Cloud.SetCapacity("sim.nano", "sim-1a", CapacityType.OnDemand, 10);
        bench.Cloud.SetCapacity("sim.nano", "sim-1b", CapacityType.OnDemand, 0);
        await bench.RunAsync(async () =>
        {
            // Those that wait when the refusals come must not each ask again; so a queue may be longer than any time-out of a call.
            var manager = await bench.StartAsync(options: plain => plain with { LaunchTimeout = TimeSpan.FromSeconds(20), CloudCallTimeout = TimeSpan.FromSeconds(5) });

            var cells = await Task.WhenAll(Enumerable.Range(0, pods).Select(i => manager.RunPodAsync(Bench.NewPod($"pod-{i}"), default)));
            await Task.WhenAll(cells.Select(static c => CellManagerTests.UntilAsync(c, static u => u.Status?.Phase == PodPhase.Running)));
            var running = bench.Clock.Elapsed;

            var launches = bench.Cloud.CountCalls(CloudAction.Launch);
            Assert.Equal(0, bench.Cloud.Calls.Count(static c => c.Outcome == nameof(DriverErrorKind.Throttled)));
            Assert.InRange(launches, pods + 2, pods * 1.1);
            Assert.InRange(running.TotalSeconds, (pods - 5) / 2.0, 1.1 * ((pods - 5) / 2.0));

            await Task.WhenAll(cells.Select(static c => c.StopPodAsync(TimeSpan.Zero, default)));
            await Task.WhenAll(cells.Select(static c => c.Gone));
            Assert.InRange(bench.Cloud.CountCalls(CloudAction.Terminate), 1, pods / 10);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Storm_PodOfHigherPriority_GoesBeforeThoseThatWait_AndTheyAreToldWhatFor()
    {
        await using var bench = await Bench.CreateAsync(Ec2);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cells = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => manager.RunPodAsync(Bench.NewPod($"pod-{i}"), default)));
            await Task.Delay(TimeSpan.FromSeconds(3), bench.Clock);

            var important = Bench.NewPod("important");
            important.Spec.Priority = 1000;
            var cell = await manager.RunPodAsync(important, default);
            await CellManagerTests.UntilAsync(cell, static u => u.Cell.State == CellState.Booting);

            Assert.InRange(bench.Clock.Elapsed.TotalSeconds, 3, 4);
            List<Cell> all = [.. cells, cell];
            var histories = all.Select(static c => CellManagerTests.ToListAsync(c.WatchAsync(default))).ToList();
            await Task.WhenAll(all.Select(static c => c.StopPodAsync(TimeSpan.Zero, default)));
            await Task.WhenAll(all.Select(static c => c.Gone));
            await bench.AssertNothingLeftAsync();

            // Which of those that came together is launched first is nobody's business; who had to wait long was told.
            var told = (await Task.WhenAll(histories)).SelectMany(static h => h).Where(static u => u.Event?.Reason == "LaunchQueued").ToList();
            Assert.InRange(told.Count, 40, 56);
            Assert.All(told, static u => Assert.Matches("^Waiting for the cloud's launch limit: [0-9]+ cells are before it, about [0-9]+ s$", u.Event!.Message));
        });
    }

    [Fact]
    public async Task Storm_OthersUseTheAccount_ThrottlingIsNoFailure()
    {
        var random = new Random(7);
        await using var bench = await Bench.CreateAsync(Ec2 with
        {
            Faults = call =>
            {
                lock (random)
                {
                    return call.Action == CloudAction.Launch && random.Next(3) == 0 ? new CloudFault(DriverErrorKind.Throttled) : null;
                }
            },
        });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cells = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => manager.RunPodAsync(Bench.NewPod($"pod-{i}"), default)));
            await Task.WhenAll(cells.Select(static c => CellManagerTests.UntilAsync(c, static u => u.Status?.Phase == PodPhase.Running)));

            Assert.All(cells, static c => Assert.Null(c.Record.Reason));
            Assert.Equal(60, bench.Cloud.Instances.Count);
        });
    }

    [Fact]
    public async Task Storm_ThrottledForAnHourByACloudOfUnknownLimits_StartsAllTheSame()
    {
        await using var bench = await Bench.CreateAsync();
        bench.Cloud.FailNext(CloudAction.Launch, new CloudFault(DriverErrorKind.Throttled), times: 120);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            Assert.InRange(bench.Clock.Elapsed.TotalMinutes, 45, 90);
            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }
}
