using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

public class InterruptionTests
{
    private const string Spot = "{containers: [{name: main, image: i}], nodeSelector: {karpenter.sh/capacity-type: spot}}";

    [Fact]
    public async Task Notice_StopsThePodInTime_AndItFailsForNoFaultOfItsOwn()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await RunningAsync(manager, bench);

            bench.Cloud.Reclaim(cell.Record.InstanceId!);
            var noticed = bench.Clock.Elapsed;
            var status = await cell.PodEnded;

            Assert.InRange(bench.Clock.Elapsed - noticed, TimeSpan.Zero, TimeSpan.FromSeconds(40)); // its grace, not the cloud's two minutes
            Assert.Equal((PodPhase.Failed, CellRecord.SpotInterrupted), (status.Phase, status.Reason));
            Assert.StartsWith("the cloud takes the cell back at ", status.Message, StringComparison.Ordinal);
            Assert.NotNull(status.ContainerStatuses![0].State!.Terminated);
            Assert.Contains(status.Conditions!, static c => c is { Type: PodConditionType.DisruptionTarget, Status: "True" });
            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Notice_IsShorterThanThePodsGrace_ThePodGetsWhatThereIs()
    {
        await using var bench = await CreateAsync(stopTime: TimeSpan.FromMinutes(30));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await RunningAsync(manager, bench, SpotOfAnHoursGrace);

            await ReclaimedPodGetsWhatThereIsAsync(bench, cell);
        });
    }

    [Fact]
    public async Task Notice_AndTheMachineDiesBeforeThePodHasEnded_IsNoLoss()
    {
        await using var bench = await CreateAsync(stopTime: TimeSpan.FromMinutes(30));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await RunningAsync(manager, bench);

            bench.Cloud.Reclaim(cell.Record.InstanceId!, TimeSpan.FromSeconds(3));
            var status = await cell.PodEnded;

            Assert.Equal((PodPhase.Failed, CellRecord.SpotInterrupted), (status.Phase, status.Reason));
        });
    }

    [Fact]
    public async Task Notice_BetweenTwoHosts_IsHeardByTheSecond_AndSaidOnce()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var first = await bench.StartAsync();
            var cell = await RunningAsync(first, bench);
            await first.DisposeAsync();
            bench.Cloud.Reclaim(cell.Record.InstanceId!);

            var second = await bench.StartAsync();
            var status = await Assert.Single(second.Cells).PodEnded;

            Assert.Equal(CellRecord.SpotInterrupted, status.Reason);
        });
    }

    [Fact]
    public async Task Notice_ToACellThatWaits_EndsIt_AndTheNextIsFromElsewhere()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: static o => o with { StandbyCells = [new("sim.nano", 1, CapacityType.Spot)] });
            await bench.Clock.AdvanceUntilAsync(() => manager.Standby.Any(static r => r.State == CellState.Ready));
            var taken = manager.Standby.Single();

            bench.Cloud.Reclaim(taken.InstanceId!);
            await bench.Clock.AdvanceUntilAsync(() => manager.Standby.Any(r => r.Id != taken.Id && r.State == CellState.Ready));

            Assert.NotEqual(taken.Zone, manager.Standby.Single(r => r.Id != taken.Id).Zone);
        });
    }

    [Fact]
    public async Task Pod_ThatEndsWellOnTheStopSignal_HasSucceeded()
    {
        await using var bench = await CreateAsync(stopExitCode: 0);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await RunningAsync(manager, bench);

            bench.Cloud.Reclaim(cell.Record.InstanceId!);

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            Assert.Equal(CellRecord.SpotInterrupted, cell.Record.Reason);
        });
    }

    [Fact]
    public async Task NoticeOfTheCloud_WhoseAgentIsSilent_IsHeardAllTheSame()
    {
        await using var bench = await CreateAsync(tellsInterruptions: true);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await RunningAsync(manager, bench);
            bench.Cloud.SetHanging(cell.Record.InstanceId!, true);
            var noticed = bench.Clock.Elapsed;

            bench.Cloud.Reclaim(cell.Record.InstanceId!);
            await bench.Clock.AdvanceUntilAsync(() => cell.Record.State == CellState.Draining);
            Assert.InRange(bench.Clock.Elapsed - noticed, TimeSpan.Zero, TimeSpan.FromSeconds(1)); // its controller replaces it now
            var status = await cell.PodEnded;

            Assert.Equal((PodPhase.Failed, CellRecord.SpotInterrupted), (status.Phase, status.Reason));
            Assert.Contains(status.Conditions!, static c => c is { Type: PodConditionType.DisruptionTarget, Status: "True" });
            Assert.Contains(status.Conditions!, static c => c is { Type: PodConditionType.Ready, Status: "False" });
            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task NoticeOfTheCloud_WhileTheCellBoots_ThePodHadNotStarted_AndGoesElsewhere()
    {
        await using var bench = await CreateAsync(tellsInterruptions: true, bootTime: TimeSpan.FromMinutes(1));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(spec: Spot), default);
            await bench.Clock.AdvanceUntilAsync(() => cell.Record.State == CellState.Booting);

            bench.Cloud.Reclaim(cell.Record.InstanceId!);
            var status = await cell.PodEnded;

            Assert.Equal((CellRecord.SpotInterrupted, null), (status.Reason, cell.Record.ClaimedAt));
            await cell.Gone;
            var next = await manager.RunPodAsync(Bench.NewPod(spec: Spot), default);
            Assert.NotEqual(cell.Record.Zone, next.Record.Zone);
        });
    }

    [Fact]
    public async Task NoticeOfTheCloud_BetweenTwoHosts_IsHeardByTheSecond()
    {
        await using var bench = await CreateAsync(tellsInterruptions: true);
        await bench.RunAsync(async () =>
        {
            var first = await bench.StartAsync();
            var cell = await RunningAsync(first, bench);
            bench.Cloud.SetHanging(cell.Record.InstanceId!, true);
            await first.DisposeAsync();
            bench.Cloud.Reclaim(cell.Record.InstanceId!);

            var second = await bench.StartAsync();

            Assert.Equal(CellRecord.SpotInterrupted, (await Assert.Single(second.Cells).PodEnded).Reason);
        });
    }

    [Fact]
    public async Task AdviceOfTheCloud_IsAnEventOfThePod_Once_AndThePodRunsOn()
    {
        await using var bench = await CreateAsync(tellsInterruptions: true);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await RunningAsync(manager, bench);
            var events = new List<string>();
            var watching = WatchAsync();

            bench.Cloud.RecommendRebalance(cell.Record.InstanceId!);
            bench.Cloud.RecommendRebalance(cell.Record.InstanceId!);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(1));

            Assert.Equal(1, events.Count(static e => e == "RebalanceRecommended"));
            Assert.Equal((CellState.Claimed, PodPhase.Running), (cell.Record.State, cell.Status?.Phase));
            Assert.Equal(CellRecord.RebalanceRecommended, Assert.Single(await bench.Store.ListAsync(default)).Reason);
            await cell.StopPodAsync(TimeSpan.Zero, default);
            await watching;
            Assert.Equal("PodEnded", cell.Record.Reason);
            Assert.Null((await cell.PodEnded).Reason);

            async Task WatchAsync()
            {
                await foreach (var update in cell.WatchAsync(default))
                {
                    if (update.Event is { } happened)
                    {
                        events.Add(happened.Reason);
                    }
                }
            }
        });
    }

    [Fact]
    public async Task Advice_WhereItIsToBeFollowed_MovesThePodOfAController_WithAllOfItsGrace()
    {
        await using var bench = await CreateAsync(stopTime: TimeSpan.FromMinutes(4));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: static o => o with { ReplacesAtRebalance = true });
            var cell = await RunningAsync(manager, bench, Spot.Replace("{containers", "{terminationGracePeriodSeconds: 300, containers", StringComparison.Ordinal), isControlled: true);
            var advised = bench.Clock.Elapsed;

            bench.Cloud.RecommendRebalance(cell.Record.InstanceId!);
            await bench.Clock.AdvanceUntilAsync(() => cell.Record.State == CellState.Draining);
            var next = await manager.RunPodAsync(Bench.NewPod("next", Spot), default);
            var status = await cell.PodEnded;

            Assert.NotEqual(cell.Record.Zone, next.Record.Zone);
            Assert.InRange(bench.Clock.Elapsed - advised, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5));
            Assert.Equal((PodPhase.Failed, CellRecord.RebalanceRecommended), (status.Phase, status.Reason));
            Assert.Contains(status.Conditions!, static c => c is { Type: PodConditionType.DisruptionTarget, Status: "True" });
        });
    }

    [Fact]
    public async Task Advice_WhereItIsToBeFollowed_LeavesAPodThatNobodyMakesAnew()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: static o => o with { ReplacesAtRebalance = true });
            var cell = await RunningAsync(manager, bench);

            bench.Cloud.RecommendRebalance(cell.Record.InstanceId!);
            await bench.Clock.AdvanceUntilAsync(() => cell.Record.Reason == CellRecord.RebalanceRecommended);

            Assert.Equal((CellState.Claimed, PodPhase.Running), (cell.Record.State, cell.Status?.Phase));
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NoticeAfterAdvice_StopsThePodInTime(bool isFollowed)
    {
        await using var bench = await CreateAsync(stopTime: TimeSpan.FromMinutes(30));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { ReplacesAtRebalance = isFollowed });
            var cell = await RunningAsync(manager, bench, SpotOfAnHoursGrace, isControlled: true);
            bench.Cloud.RecommendRebalance(cell.Record.InstanceId!);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(1));
            Assert.Equal((isFollowed ? CellState.Draining : CellState.Claimed, CellRecord.RebalanceRecommended), (cell.Record.State, cell.Record.Reason));

            await ReclaimedPodGetsWhatThereIsAsync(bench, cell);
        });
    }

    [Fact]
    public async Task Advice_BetweenTwoHosts_IsToldByTheSecond_AndNotByTheThird()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var first = await bench.StartAsync();
            var cell = await RunningAsync(first, bench);
            await first.DisposeAsync();
            bench.Cloud.RecommendRebalance(cell.Record.InstanceId!);

            Assert.True(await TellsAsync());
            Assert.False(await TellsAsync());
        });

        async Task<bool> TellsAsync()
        {
            await using var manager = await bench.StartAsync();
            var cell = Assert.Single(manager.Cells);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(1));
            var told = false;
            var disposing = manager.DisposeAsync();
            await foreach (var update in cell.WatchAsync(default))
            {
                told |= update.Event?.Reason == CellRecord.RebalanceRecommended;
            }

            await disposing;
            return told;
        }
    }

    private static string SpotOfAnHoursGrace => Spot.Replace("{containers", "{terminationGracePeriodSeconds: 3600, containers", StringComparison.Ordinal);

    private static async Task ReclaimedPodGetsWhatThereIsAsync(Bench bench, Cell cell)
    {
        var noticed = bench.Clock.Elapsed;
        bench.Cloud.Reclaim(cell.Record.InstanceId!);
        var status = await cell.PodEnded;

        Assert.InRange(bench.Clock.Elapsed - noticed, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(120));
        Assert.Equal(CellRecord.SpotInterrupted, status.Reason);
    }

    private static Task<Bench> CreateAsync(
        TimeSpan? stopTime = null, int stopExitCode = 143, bool tellsInterruptions = false, TimeSpan? bootTime = null) => Bench.CreateAsync(new SimulatedCloudOptions
    {
        TellsInterruptions = tellsInterruptions,
        Plan = _ => new InstancePlan { AgentReadyAfter = bootTime ?? TimeSpan.FromSeconds(2) },
        Script = _ => new PodScript
        {
            Default = new ContainerScript { RunTime = TimeSpan.FromHours(10), StopTime = stopTime ?? TimeSpan.FromSeconds(2), StopExitCode = stopExitCode },
        },
    });

    private static async Task<Cell> RunningAsync(CellManager manager, Bench bench, string spec = Spot, bool isControlled = false)
    {
        var pod = Bench.NewPod(spec: spec);
        pod.Metadata.OwnerReferences = isControlled ? [new OwnerReference { ApiVersion = "apps/v1", Kind = "ReplicaSet", Name = "web", Uid = "uid-web", Controller = true }] : null;
        var cell = await manager.RunPodAsync(pod, default);
        await bench.Clock.AdvanceUntilAsync(() => cell.Status?.Phase == PodPhase.Running);
        return cell;
    }
}
