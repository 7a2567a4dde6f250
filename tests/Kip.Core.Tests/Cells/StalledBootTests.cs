using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

/// <summary>A boot that takes much longer than those before it.</summary>
public class StalledBootTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2); // of boots that took 2 s

    [Fact]
    public async Task Boot_Stalled_ASpareBootsBesideIt_AndThePodRunsOnTheSpare()
    {
        await using var bench = await CreateAsync(static n => n == 1 ? InstancePlan.NeverBoots : new());
        await bench.RunAsync(async () =>
        {
            var manager = await StartAsync(bench);
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await bench.Clock.AdvanceUntilAsync(() => bench.Cloud.Instances.Count == 2);
            Assert.InRange(bench.Clock.Elapsed, Limit, Limit + TimeSpan.FromSeconds(10));
            Assert.Equal(2, bench.Alive.Count()); // the first one is watched on

            await bench.Clock.AdvanceUntilAsync(() => cell.Status?.Phase == PodPhase.Running);

            Assert.InRange(bench.Clock.Elapsed, Limit, Limit + TimeSpan.FromSeconds(15));
            Assert.Equal((CellState.Claimed, "i-00000002"), (cell.Record.State, cell.Record.InstanceId));
            await bench.Clock.AdvanceUntilAsync(() => bench.Alive.Count() == 1 && cell.Record.Spare is null);
            Assert.Equal("i-00000002", bench.Alive.Single().Instance.Id);
            Assert.Equal(1, (await EventsAsync(cell)).Count(static e => e == "BootStalled"));
            await cell.StopPodAsync(TimeSpan.Zero, default);
            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Boot_ThatEndsBeforeItsSpare_KeepsThePod_AndTheSpareIsEnded()
    {
        await using var bench = await CreateAsync(static n => new InstancePlan { AgentReadyAfter = TimeSpan.FromSeconds(n == 1 ? 140 : 60) });
        await bench.RunAsync(async () =>
        {
            var manager = await StartAsync(bench);
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            await bench.Clock.AdvanceUntilAsync(() => cell.Status?.Phase == PodPhase.Running);

            Assert.Equal("i-00000001", cell.Record.InstanceId);
            await bench.Clock.AdvanceUntilAsync(() => bench.Alive.Count() == 1 && cell.Record.Spare is null);
            Assert.Equal("i-00000001", bench.Alive.Single().Instance.Id);
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Spare_ThatIsRefused_TheBootIsWatchedOn_AndItIsTriedAgain()
    {
        await using var bench = await CreateAsync(static n => n == 1 ? InstancePlan.NeverBoots : new());
        await bench.RunAsync(async () =>
        {
            var manager = await StartAsync(bench);
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await bench.Clock.AdvanceUntilAsync(() => bench.Cloud.Instances.Count == 1);
            bench.Cloud.FailNext(CloudAction.Launch, new CloudFault(DriverErrorKind.OutOfCapacity), 3);

            await bench.Clock.AdvanceUntilAsync(() => cell.Status?.Phase == PodPhase.Running);

            Assert.Equal(4, bench.Cloud.CountCalls(CloudAction.Launch) - 1);
            Assert.NotEqual(("sim.nano", "sim-1a"), (cell.Record.InstanceType, cell.Record.Zone)); // what was refused is passed over
            Assert.Equal(2, bench.Cloud.Instances.Count);
        });
    }

    [Fact]
    public async Task Spare_ThatStallsToo_BothAreGivenUp()
    {
        await using var bench = await CreateAsync(static _ => InstancePlan.NeverBoots);
        await bench.RunAsync(async () =>
        {
            var manager = await StartAsync(bench);
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            Assert.Equal((PodPhase.Failed, "BootTimeout"), ((await cell.PodEnded).Phase, cell.Record.Reason));

            Assert.InRange(bench.Clock.Elapsed, Limit * 2, (Limit * 2) + TimeSpan.FromSeconds(20));
            Assert.Null(cell.Record.ClaimedAt);
            await cell.Gone;
            Assert.Equal(2, bench.Cloud.Instances.Count);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Spare_AfterARestart_IsStillTheCells()
    {
        await using var bench = await CreateAsync(static n => n == 1 ? InstancePlan.NeverBoots : new InstancePlan { AgentReadyAfter = TimeSpan.FromSeconds(40) });
        await bench.RunAsync(async () =>
        {
            var first = await StartAsync(bench);
            await first.RunPodAsync(Bench.NewPod(), default);
            await bench.Clock.AdvanceUntilAsync(() => bench.Cloud.Instances.Count == 2);
            await bench.Clock.AdvanceAsync(TimeSpan.FromSeconds(5));
            await first.DisposeAsync();

            var second = await bench.StartAsync();
            var cell = await second.RunPodAsync(Bench.NewPod(), default);
            await bench.Clock.AdvanceUntilAsync(() => cell.Status?.Phase == PodPhase.Running);

            Assert.Equal("i-00000002", cell.Record.InstanceId);
            await bench.Clock.AdvanceUntilAsync(() => bench.Alive.Count() == 1);
            Assert.Equal(2, bench.Cloud.Instances.Count);
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Boot_OfACellThatWaits_HasNoSpare_AnotherIsKeptInItsPlace()
    {
        await using var bench = await CreateAsync(static n => n == 1 ? InstancePlan.NeverBoots : new());
        await bench.RunAsync(async () =>
        {
            var manager = await StartAsync(bench, static o => o with { StandbyCells = [new("sim.nano", 1)] });

            await bench.Clock.AdvanceUntilAsync(() => manager.Standby.Any(static r => r.State == CellState.Ready));

            Assert.Equal(2, bench.Cloud.Instances.Count);
            Assert.All(manager.Standby, static r => Assert.Null(r.Spare));
        });
    }

    private static async Task<Bench> CreateAsync(Func<int, InstancePlan> boot)
    {
        var launches = 0;
        return await Bench.CreateAsync(new SimulatedCloudOptions { Plan = _ => boot(Interlocked.Increment(ref launches)), Script = static _ => PodScript.Forever }, new MemoryCellStore());
    }

    /// <summary>A manager that knows how long boots take.</summary>
    private static async Task<CellManager> StartAsync(Bench bench, Func<CellManagerOptions, CellManagerOptions>? options = null)
    {
        var manager = await bench.StartAsync(options: options);
        for (var i = 0; i < 10; i++)
        {
            manager.Boots.Add("sim.nano", TimeSpan.FromSeconds(2));
        }

        return manager;
    }

    private static async Task<List<string>> EventsAsync(Cell cell)
    {
        var events = new List<string>();
        using var enough = new CancellationTokenSource();
        await foreach (var update in cell.WatchAsync(enough.Token))
        {
            if (update.Event is { } happened)
            {
                events.Add(happened.Reason);
            }

            if (update.Status?.Phase == PodPhase.Running)
            {
                break;
            }
        }

        return events;
    }
}
