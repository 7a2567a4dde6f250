using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Core.Tests.Cells.Standby;

public class StandbyPoolTests
{
    private static readonly TimeSpan ASecond = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task StandbyCells_AreReadyBeforeAnyPod_AndAPodTakesOneAtOnce()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 2)] });
            await ReadyAsync(bench, manager, 2);
            Assert.Empty(manager.Cells);
            var before = bench.Clock.Elapsed;

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await RunningAsync(cell);

            Assert.Equal(TimeSpan.Zero, bench.Clock.Elapsed - before); // no tick, no call to the cloud
            Assert.Equal("uid-pod", cell.Pod.Uid);
            Assert.Same(cell, manager.Find("uid-pod"));
            await ReadyAsync(bench, manager, 2); // another one takes its place
            Assert.Equal(3, bench.Alive.Count());
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Launch_OfACellWithoutAPod_CarriesTheTagsOfCellAndControllerOnly()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 1)] });
            await ReadyAsync(bench, manager, 1);

            var launch = Assert.Single(bench.Cloud.Calls, static c => c.Action == CloudAction.Launch).Request!;
            Assert.Equal(new HashSet<string> { InstanceTags.Name, InstanceTags.CellId, InstanceTags.ControllerId }, launch.Tags.Keys.ToHashSet());
        });
    }

    [Fact]
    public async Task Pod_ThatComesWhileTheCellBoots_TakesItAllTheSame()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 1)] });
            await StandbyAsync(bench, manager, 1, CellState.Booting);

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await RunningAsync(cell);

            Assert.Equal(cell.Record.InstanceId, bench.Cloud.Instances[0].Instance.Id);
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Pod_ThatAsksForMoreOfItsLaunch_GetsACellOfItsOwnLaunchedSo()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 1)] });
            await ReadyAsync(bench, manager, 1);
            var pod = Bench.NewPod();
            pod.Metadata.Annotations = new() { ["pod.elotl.co/security-groups"] = "sg-1" };

            var cell = await manager.RunPodAsync(pod, default);
            await RunningAsync(cell);

            var launch = Assert.Single(bench.Cloud.Calls, c => c.Action == CloudAction.Launch && c.Request!.Tags[InstanceTags.CellId] == cell.Record.Id);
            Assert.Equal(["sg-1"], launch.Request!.Options!.SecurityGroups);
            Assert.Single(manager.Standby);
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Theory]
    [InlineData("{containers: [{name: main, image: i, resources: {requests: {cpu: 4}}}]}", "sim.nano")] // too small
    [InlineData("{containers: [{name: main, image: i}]}", "sim.large")] // it may run for long, and this would cost 40 times as much
    [InlineData("{containers: [{name: main, image: i}], nodeSelector: {topology.kubernetes.io/zone: sim-1b}}", "sim.nano")] // in another zone
    public async Task Pod_ThatNoWaitingCellSuits_GetsOneOfItsOwn(string spec, string standby)
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new(standby, 1)] });
            await ReadyAsync(bench, manager, 1);
            var waiting = Assert.Single(manager.Standby);

            var cell = await manager.RunPodAsync(Bench.NewPod(spec: spec), default);

            Assert.NotEqual(waiting.Id, cell.Record.Id);
            Assert.Equal(waiting.Id, Assert.Single(manager.Standby).Id);
        });
    }

    [Fact]
    public async Task Pod_TakesTheCheapestThatItFitsInto_AndASpotCellOnlyIfItMay()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with
            {
                StandbyCells = [new("sim.medium", 1), new("sim.small", 1), new("sim.small", 1, CapacityType.Spot)],
            });
            await ReadyAsync(bench, manager, 3);

            var cell = await manager.RunPodAsync(Bench.NewPod(spec: "{containers: [{name: main, image: i, resources: {requests: {cpu: 900m}}}]}"), default);

            Assert.Equal(("sim.small", CapacityType.OnDemand), (cell.Record.InstanceType, cell.Record.CapacityType));
        });
    }

    [Fact]
    public async Task ManyPodsAtOnce_EachGetACellOfItsOwn()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 5)] });
            await ReadyAsync(bench, manager, 5);

            var cells = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => manager.RunPodAsync(Bench.NewPod($"p{i}"), default))));
            await Task.WhenAll(cells.Select(RunningAsync));

            Assert.Equal(20, cells.Select(static c => c.Record.Id).Distinct().Count());
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Images_ArePulledWhileTheCellWaits_ThoseOfTheConfigurationAndThoseOfPodsThatCame()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: static o => o with
            {
                StandbyCells = [new("sim.small", 1) { Images = ["base:1", "base:2"] }],
                StandbyBudgetPerHour = 0.01m,
            });
            await manager.RunPodAsync(Bench.NewPod("a", "{containers: [{name: main, image: app}], initContainers: [{name: init, image: init}]}"), default);
            await manager.RunPodAsync(Bench.NewPod("b", "{containers: [{name: main, image: app}], initContainers: [{name: init, image: init}]}"), default);

            await bench.Clock.AdvanceUntilAsync(() => Pulled(manager, bench, "sim.small").SequenceEqual(["base:1", "base:2"]) && Pulled(manager, bench, "sim.nano").SequenceEqual(["init", "app"]));
        });

        static IEnumerable<string> Pulled(CellManager manager, Bench bench, string type) => bench.Cloud.Instances
            .Where(i => manager.Standby.Any(r => r.InstanceType == type && r.InstanceId == i.Instance.Id))
            .SelectMany(static i => i.PulledImages);
    }

    [Fact]
    public async Task Restart_TakesUpTheCellsThatWait_AndMakesNoMore()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var left = await LeaveTwoAsync(bench);

            var second = await bench.StartAsync(options: KeepTwo);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(1));
            Assert.Equal(left, second.Standby.Select(static r => r.Id).Order());
            await RunningAsync(await second.RunPodAsync(Bench.NewPod(), default));

            Assert.Equal(3, await CountAsync(bench, 3));
        });
    }

    [Fact]
    public async Task Restart_WithAPodAtOnce_GivesItACellThatWaits()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var left = await LeaveTwoAsync(bench);

            var second = await bench.StartAsync(options: KeepTwo, agents: agents => new SlowAgents(agents, bench.Clock));
            var cell = await second.RunPodAsync(Bench.NewPod(), default);

            Assert.Contains(cell.Record.Id, left);
            await RunningAsync(cell);
        });
    }

    [Fact]
    public async Task Restart_WithCellsThatDoNotAnswer_LetsAPodWaitForThemForTwoSeconds()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var left = await LeaveTwoAsync(bench);

            var second = await bench.StartAsync(options: KeepTwo, agents: static agents => new SilentAgents(agents));
            var before = bench.Clock.Elapsed;
            var cell = await second.RunPodAsync(Bench.NewPod(), default);

            Assert.DoesNotContain(cell.Record.Id, left);
            Assert.Equal(2, (bench.Clock.Elapsed - before).TotalSeconds, tolerance: 0.1);
        });
    }

    [Fact]
    public async Task Restart_WithoutStandbyCells_EndsThoseThatWait()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var first = await bench.StartAsync(options: static o => o with { StandbyCells = [new("sim.nano", 2)] });
            await ReadyAsync(bench, first, 2);
            await first.DisposeAsync();

            await bench.StartAsync();
            await bench.Clock.AdvanceUntilAsync(() => !bench.Alive.Any());
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(1));

            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task CellThatWaits_WhoseInstanceDies_IsReplaced()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 1)] });
            await ReadyAsync(bench, manager, 1);
            var lost = Assert.Single(manager.Standby);

            bench.Cloud.Kill(lost.InstanceId!);
            await bench.Clock.AdvanceUntilAsync(() => manager.Standby.Any(r => r.Id != lost.Id && r.State == CellState.Ready));

            Assert.Single(bench.Alive);
        });
    }

    [Fact]
    public async Task CellThatGrowsOld_IsReplacedFirst_AndThenEnded()
    {
        await using var bench = await CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 1)], StandbyMaxAge = TimeSpan.FromHours(1) });
            await ReadyAsync(bench, manager, 1);
            var old = Assert.Single(manager.Standby);
            var fewest = 1;

            await bench.Clock.AdvanceUntilAsync(() =>
            {
                fewest = Math.Min(fewest, manager.Standby.Count(static r => r.State == CellState.Ready));
                return bench.Alive.All(i => i.Instance.Id != old.InstanceId);
            });

            Assert.Equal(1, fewest);
            Assert.InRange(bench.Clock.Elapsed, TimeSpan.FromMinutes(35), TimeSpan.FromHours(1));
            Assert.Single(bench.Alive);
        });
    }

    [Fact]
    public async Task CellsThatCannotBeHad_AreTriedWithGrowingPauses_AndPodsGoTheirWay()
    {
        await using var bench = await CreateAsync(static o => o with { Plan = static r => r.InstanceType == "sim.small" ? InstancePlan.NeverBoots : new InstancePlan() });
        bench.Cloud.SetCapacity("sim.large", "sim-1a", CapacityType.OnDemand, 0);
        bench.Cloud.SetCapacity("sim.large", "sim-1b", CapacityType.OnDemand, 0);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with
            {
                StandbyCells = [new("sim.large", 2), new("sim.small", 1), new("sim.none", 1)],
                LaunchTimeout = TimeSpan.FromSeconds(30),
            });

            await bench.Clock.AdvanceAsync(TimeSpan.FromHours(1));
            await RunningAsync(await manager.RunPodAsync(Bench.NewPod(), default));

            Assert.InRange(bench.Cloud.Calls.Count(static c => c.Request?.InstanceType == "sim.large"), 2, 200);
            Assert.InRange(bench.Cloud.Calls.Count(static c => c.Action == CloudAction.Launch && c.Request?.InstanceType == "sim.small"), 2, 7);
        });
    }

    [Fact]
    public async Task Agent_ThatRefusesThePod_FailsIt_AsOnACellOfItsOwn()
    {
        await using var bench = await CreateAsync(static o => o with { Script = static _ => new PodScript { Refusal = "no such thing" } });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new("sim.nano", 1)] });
            await ReadyAsync(bench, manager, 1);

            var ended = await (await manager.RunPodAsync(Bench.NewPod(), default)).PodEnded;

            Assert.Equal(("PodRefused", "no such thing"), (ended.Reason, ended.Message));
        });
    }

    [Fact]
    public async Task Budget_KeepsAsManyReadyAsCameWithinABoot_AndEndsThemWhenTheDemandIsOver()
    {
        await using var bench = await CreateAsync(static o => o with { Script = static _ => PodScript.RunsFor(TimeSpan.FromSeconds(20)) });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: static o => o with { StandbyBudgetPerHour = 0.035m }); // three of sim.nano
            for (var i = 0; i < 10; i++)
            {
                await manager.RunPodAsync(Bench.NewPod($"p{i}"), default);
            }

            await ReadyAsync(bench, manager, 3);
            var before = bench.Clock.Elapsed;
            await RunningAsync(await manager.RunPodAsync(Bench.NewPod("late"), default));
            Assert.Equal(before, bench.Clock.Elapsed);
            await ReadyAsync(bench, manager, 3);

            await bench.Clock.AdvanceUntilAsync(() => manager.Standby.Count == 0);
            Assert.InRange(bench.Clock.Elapsed, TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(40));
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(1));
            await bench.AssertNothingLeftAsync();
        });
    }

    private static Task<Bench> CreateAsync(Func<SimulatedCloudOptions, SimulatedCloudOptions>? options = null)
    {
        var plain = new SimulatedCloudOptions { Script = static _ => PodScript.RunsFor(TimeSpan.FromHours(10)) };
        return Bench.CreateAsync(options?.Invoke(plain) ?? plain);
    }

    private static Task ReadyAsync(Bench bench, CellManager manager, int count) => StandbyAsync(bench, manager, count, CellState.Ready);

    private static Task StandbyAsync(Bench bench, CellManager manager, int count, CellState state) =>
        bench.Clock.AdvanceUntilAsync(() => manager.Standby.Count(r => r.State == state) == count && manager.Standby.Count == count);

    private static async Task<int> CountAsync(Bench bench, int atMost)
    {
        await bench.Clock.AdvanceAsync(60 * ASecond);
        Assert.InRange(bench.Cloud.Instances.Count, 0, atMost);
        return bench.Cloud.Instances.Count;
    }

    private static async Task RunningAsync(Cell cell)
    {
        await foreach (var update in cell.WatchAsync(default))
        {
            if (update.Status?.Phase == PodPhase.Running)
            {
                return;
            }
        }

        Assert.Fail($"{cell.Record.Id} ended before its pod ran");
    }

    private static CellManagerOptions KeepTwo(CellManagerOptions options) => options with { StandbyCells = [new("sim.nano", 2)] };

    /// <summary>Two cells that wait, and whose host is gone; their ids in order.</summary>
    private static async Task<List<string>> LeaveTwoAsync(Bench bench)
    {
        var first = await bench.StartAsync(options: KeepTwo);
        await ReadyAsync(bench, first, 2);
        var ids = first.Standby.Select(static r => r.Id).Order().ToList();
        await first.DisposeAsync();
        return ids;
    }

    /// <summary>Agents that take a moment to connect to.</summary>
    private sealed class SlowAgents(ICellAgentConnector agents, TimeProvider time) : ICellAgentConnector
    {
        public string GetEnrolmentToken(CellRecord cell) => agents.GetEnrolmentToken(cell);

        public async Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken)
        {
            await Task.Delay(ASecond, time, cancellationToken);
            return await agents.ConnectAsync(cell, onStep, cancellationToken);
        }
    }

    /// <summary>Agents that refuse every connection.</summary>
    private sealed class SilentAgents(ICellAgentConnector agents) : ICellAgentConnector
    {
        public string GetEnrolmentToken(CellRecord cell) => agents.GetEnrolmentToken(cell);

        public Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken) =>
            throw new AgentException(AgentErrorKind.Unavailable, "nobody listens");
    }
}
