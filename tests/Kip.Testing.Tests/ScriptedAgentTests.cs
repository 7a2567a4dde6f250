using System.Text;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;

namespace Kip.Testing.Tests;

public sealed class ScriptedAgentTests
{
    private readonly VirtualClock _clock = new();

    private static CancellationToken None => CancellationToken.None;

    [Fact]
    public Task ConnectAsync_BeforeTheAgentIsReady_IsUnavailable() => _clock.RunAsync(async () =>
    {
        using var cloud = new SimulatedCloud(_clock);
        var instance = await cloud.CreateDriver("controller-1").LaunchAsync(Launches.Make(), None);
        List<AgentConnectStep> steps = [];

        await AssertFailsAsync(AgentErrorKind.Unavailable, cloud.CreateConnector().ConnectAsync(Launches.MakeCell(instance.Address), steps.Add, None));
        await Task.Delay(TimeSpan.FromSeconds(2), _clock);
        await cloud.CreateConnector().ConnectAsync(Launches.MakeCell(instance.Address), steps.Add, None);

        Assert.Equal([AgentConnectStep.Answered, AgentConnectStep.Enrolled], steps);
        Assert.True(Assert.Single(cloud.Instances).IsEnrolled);
    });

    [Theory]
    [InlineData("cell-2", CellState.Booting, "")]
    [InlineData("cell-1", CellState.Booting, "another launch")]
    [InlineData("cell-1", CellState.Claimed, "")]
    public Task ConnectAsync_ByWrongCellOrTokenOrTooLate_IsUntrusted(string cellId, CellState state, string launch) => RunWithCellAsync(
        new(),
        (cloud, address) => AssertFailsAsync(
            AgentErrorKind.Untrusted, cloud.CreateConnector().ConnectAsync(Launches.MakeCell(address, cellId, state, launch), null, None)));

    [Fact]
    public Task ConnectAsync_OnceEnrolled_NeedsNoToken() => RunWithAgentAsync(new(), async (cloud, address, _) =>
        await cloud.CreateConnector().ConnectAsync(Launches.MakeCell(address, state: CellState.Claimed), null, None));

    [Fact]
    public Task ApplyPodAsync_DefaultScript_GoesThroughTheEventsOfRealAgentAndSucceeds() => RunWithAgentAsync(new(), async (_, _, agent) =>
    {
        await agent.ApplyPodAsync(Launches.MakePod(), None);
        await agent.ApplyPodAsync(Launches.MakePod(), None);

        var updates = await ReadUntilAsync(agent, 0, update => update.Status is not null);

        Assert.Equal(PodPhase.Succeeded, updates[^1].Status?.Phase);
        Assert.Equal(
            ["SandboxReady", "Pulling", "Pulled", "Created", "Started"], updates.Where(update => update.Event is not null).Select(update => update.Event!.Reason));
        Assert.Equal([1, 2, 3, 4, 5], updates.Where(update => update.Event is not null).Select(update => update.Event!.Sequence));
    });

    [Fact]
    public Task WatchAsync_WhileThePodRuns_TellsEachChangeAtItsTime() => RunWithAgentAsync(
        new() { Script = _ => new PodScript { SandboxTime = Seconds(1), Default = new() { PullTime = Seconds(5), RunTime = Seconds(60), ExitCodes = [3] } } },
        async (_, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            var start = _clock.Elapsed;
            List<(string Phase, int At)> phases = [];
            await foreach (var update in agent.WatchAsync(0, None))
            {
                if (update.Status is { } status && (phases.Count == 0 || phases[^1].Phase != status.Phase))
                {
                    phases.Add((status.Phase!, (int)(_clock.Elapsed - start).TotalSeconds));
                }

                if (update.Status is { Phase: PodPhase.Failed } last)
                {
                    Assert.Equal(3, Assert.Single(last.ContainerStatuses!).State!.Terminated!.ExitCode);
                    break;
                }
            }

            Assert.Equal([(PodPhase.Pending, 0), (PodPhase.Running, 6), (PodPhase.Failed, 66)], phases);
        });

    [Fact]
    public Task WatchAsync_WithoutNews_SendsHeartbeats() => RunWithAgentAsync(new(), async (_, _, agent) =>
    {
        var start = _clock.Elapsed;
        await foreach (var update in agent.WatchAsync(0, None))
        {
            Assert.Equal(new AgentUpdate(null, null), update);
            break;
        }

        Assert.Equal(Seconds(10), _clock.Elapsed - start);
    });

    [Fact]
    public Task ApplyPodAsync_FailingContainerThatRestarts_BacksOffAndCounts() => RunWithAgentAsync(
        new() { Script = _ => new PodScript { Default = new() { ExitCodes = [1, 1, 0] } } },
        async (_, _, agent) =>
        {
            var start = _clock.Elapsed;
            await agent.ApplyPodAsync(Launches.MakePod(restartPolicy: RestartPolicy.OnFailure), None);
            var updates = await ReadUntilAsync(agent, 0, update => update.Status?.Phase == PodPhase.Succeeded);

            Assert.Equal(2, updates[^1].Status!.ContainerStatuses![0].RestartCount);
            Assert.Equal(2, updates.Count(update => update.Event?.Reason == "BackOff"));
            Assert.Equal(Seconds(30), _clock.Elapsed - start);
        });

    [Theory]
    [InlineData(0, 143, 0)]
    [InlineData(4, 143, 4)]
    [InlineData(null, 137, 20)]
    public Task StopPodAsync_Always_EndsThePodAsItsScriptSays(int? stopSeconds, int exitCode, int endsAfter) => RunWithAgentAsync(
        new() { Script = _ => new PodScript { Default = new() { RunTime = null, StopTime = stopSeconds is { } s ? Seconds(s) : null } } },
        async (_, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            var start = _clock.Elapsed;
            await agent.StopPodAsync("uid-1", Seconds(30), None);
            await agent.StopPodAsync("uid-1", Seconds(20), None);
            await agent.StopPodAsync("uid-1", Seconds(50), None);
            var updates = await ReadUntilAsync(agent, 0, update => update.Status?.Phase == PodPhase.Failed);

            Assert.Equal(exitCode, updates[^1].Status!.ContainerStatuses![0].State!.Terminated!.ExitCode);
            Assert.Equal(Seconds(endsAfter), _clock.Elapsed - start);
        });

    [Fact]
    public Task ApplyPodAsync_ImageThatCannotBePulled_WaitsAndFailsOnStop() => RunWithAgentAsync(
        new() { Script = _ => new PodScript { Default = new() { PullError = "not found" } } },
        async (_, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            var updates = await ReadUntilAsync(agent, 0, update => update.Status is not null);
            Assert.Contains(updates, update => update.Event?.Reason == "Failed");
            Assert.Equal("ErrImagePull", updates[^1].Status!.ContainerStatuses![0].State!.Waiting!.Reason);

            await agent.StopPodAsync("uid-1", TimeSpan.Zero, None);
            await ReadUntilAsync(agent, 0, update => update.Status?.Phase == PodPhase.Failed);
        });

    [Fact]
    public Task ApplyPodAsync_InitContainerFails_KeepsTheOthersFromRunning() => RunWithAgentAsync(
        new() { Script = _ => new PodScript { Containers = new Dictionary<string, ContainerScript> { ["init"] = new() { ExitCodes = [9] } } } },
        async (_, _, agent) =>
        {
            var assignment = Launches.MakePod();
            assignment.Pod.Spec.InitContainers = [new Container { Name = "init", Image = "busybox" }];
            await agent.ApplyPodAsync(assignment, None);

            var updates = await ReadUntilAsync(agent, 0, update => update.Status?.Phase == PodPhase.Failed);
            Assert.Equal(9, updates[^1].Status!.InitContainerStatuses![0].State!.Terminated!.ExitCode);
            Assert.DoesNotContain(updates, update => update.Event is { Reason: "Started", Container: "main" });
        });

    [Fact]
    public Task ApplyPodAsync_WithSidecar_EndsItAfterTheOthers() => RunWithAgentAsync(
        new()
        {
            Script = _ => new PodScript
            {
                Default = new() { RunTime = Seconds(10) },
                Containers = new Dictionary<string, ContainerScript> { ["proxy"] = new() { RunTime = null } },
            },
        },
        async (_, _, agent) =>
        {
            var assignment = Launches.MakePod();
            assignment.Pod.Spec.InitContainers = [new Container { Name = "proxy", Image = "busybox", RestartPolicy = RestartPolicy.Always }];
            await agent.ApplyPodAsync(assignment, None);

            var updates = await ReadUntilAsync(agent, 0, update => update.Status?.Phase == PodPhase.Succeeded);
            Assert.Equal(143, updates[^1].Status!.InitContainerStatuses![0].State!.Terminated!.ExitCode);
        });

    [Fact]
    public Task ApplyPodAsync_OfRefusedPod_SaysWhy() => RunWithAgentAsync(
        new() { Script = _ => new PodScript { Refusal = "no GPU here" } },
        async (_, _, agent) =>
        {
            var error = await Assert.ThrowsAsync<AgentException>(() => agent.ApplyPodAsync(Launches.MakePod(), None));
            Assert.Equal((AgentErrorKind.Refused, "no GPU here"), (error.Kind, error.Message));
        });

    [Fact]
    public Task ApplyPodAsync_OfSecondPod_IsRefusedAndNoted() => RunWithAgentAsync(new(), async (cloud, _, agent) =>
    {
        await agent.ApplyPodAsync(Launches.MakePod(), None);
        await AssertFailsAsync(AgentErrorKind.Refused, agent.ApplyPodAsync(Launches.MakePod("uid-2"), None));
        Assert.Single(cloud.Violations);
    });

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public Task ApplyPodAsync_OfPodThatIsElsewhere_IsNotedWhileThatInstanceLives(bool lives, int violations) => RunWithAgentAsync(
        new() { Script = _ => PodScript.Forever },
        async (cloud, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            if (!lives)
            {
                cloud.Kill(cloud.Instances[0].Instance.Id);
            }

            var second = await cloud.CreateDriver("controller-1").LaunchAsync(Launches.Make(), None);
            await Task.Delay(Seconds(2), _clock);
            await using var other = await cloud.CreateConnector().ConnectAsync(Launches.MakeCell(second.Address), null, None);
            await other.ApplyPodAsync(Launches.MakePod(), None);

            Assert.Equal(violations, cloud.Violations.Count);
        });

    [Fact]
    public Task RestartAgent_WhileThePodRuns_BreaksStreamsCountsAnewAndKeepsThePod() => RunWithAgentAsync(
        new() { Script = _ => PodScript.RunsFor(Seconds(100)) },
        async (cloud, address, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            await ReadUntilAsync(agent, 0, update => update.Event?.Reason == "Started");
            cloud.RestartAgent(cloud.Instances[0].Instance.Id);
            await AssertFailsAsync(AgentErrorKind.Unavailable, ReadUntilAsync(agent, 0, _ => false));

            await using var next = await cloud.CreateConnector().ConnectAsync(Launches.MakeCell(address, state: CellState.Claimed), null, None);
            await next.StopPodAsync("uid-1", Seconds(30), None);
            var updates = await ReadUntilAsync(next, 0, update => update.Status?.Phase == PodPhase.Failed);
            Assert.Equal(PodPhase.Running, updates[0].Status?.Phase);
            Assert.Equal(("Killing", 1), updates.Select(update => update.Event).OfType<AgentEvent>().Select(e => (e.Reason, e.Sequence)).Single());
        });

    [Fact]
    public Task SetHanging_Always_StopsAnswersUntilReleased() => RunWithAgentAsync(
        new() { Script = _ => PodScript.RunsFor(Seconds(5)) },
        async (cloud, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            var id = cloud.Instances[0].Instance.Id;
            cloud.SetHanging(id, true);
            using var timeout = new CancellationTokenSource(Seconds(20), _clock);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => agent.StopPodAsync("uid-1", TimeSpan.Zero, timeout.Token));

            cloud.SetHanging(id, false);
            await ReadUntilAsync(agent, 0, update => update.Status?.Phase == PodPhase.Succeeded);
        });

    [Fact]
    public Task Kill_WhileWatched_BreaksTheStream() => RunWithAgentAsync(
        new() { Script = _ => PodScript.Forever },
        async (cloud, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            var watch = ReadUntilAsync(agent, 0, _ => false);
            await Task.Delay(Seconds(3), _clock);
            cloud.Kill(cloud.Instances[0].Instance.Id);

            await AssertFailsAsync(AgentErrorKind.Unavailable, watch);
        });

    [Fact]
    public Task ReadLogsAsync_Following_BeginsBeforeTheContainerAndEndsWithIt() => RunWithAgentAsync(
        new() { Script = _ => new PodScript { Default = new() { PullTime = Seconds(5), RunTime = Seconds(30), LogLines = ["one", "two"] } } },
        async (_, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(), None);
            var start = _clock.Elapsed;
            List<(string Text, int At)> lines = [];
            await foreach (var entry in agent.ReadLogsAsync("uid-1", new LogQuery { Container = "main", Follow = true }, None))
            {
                lines.Add((Encoding.UTF8.GetString(entry.Data.Span), (int)(_clock.Elapsed - start).TotalSeconds));
            }

            Assert.Equal([("one\n", 5), ("two\n", 15)], lines);
            Assert.Equal(Seconds(35), _clock.Elapsed - start);
        });

    [Fact]
    public Task ReadLogsAsync_OfUnknownContainerOrPod_IsNotFound() => RunWithAgentAsync(new(), async (_, _, agent) =>
    {
        await AssertFailsAsync(AgentErrorKind.NotFound, ReadLogsAsync(agent, new LogQuery { Container = "main" }));
        await agent.ApplyPodAsync(Launches.MakePod(), None);
        await AssertFailsAsync(AgentErrorKind.NotFound, ReadLogsAsync(agent, new LogQuery { Container = "other" }));
    });

    [Fact]
    public Task ReadLogsAsync_TailAndPrevious_GiveThatPart() => RunWithAgentAsync(
        new() { Script = _ => new PodScript { Default = new() { ExitCodes = [1, 0], LogLines = ["one", "two"] } } },
        async (_, _, agent) =>
        {
            await agent.ApplyPodAsync(Launches.MakePod(restartPolicy: RestartPolicy.OnFailure), None);
            await ReadUntilAsync(agent, 0, update => update.Status?.Phase == PodPhase.Succeeded);

            Assert.Equal(["two\n"], await ReadLogsAsync(agent, new LogQuery { Container = "main", TailLines = 1 }));
            Assert.Equal(["one\n", "two\n"], await ReadLogsAsync(agent, new LogQuery { Container = "main", Previous = true }));
        });

    private static TimeSpan Seconds(int seconds) => TimeSpan.FromSeconds(seconds);

    private static async Task AssertFailsAsync(AgentErrorKind kind, Task call) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<AgentException>(() => call)).Kind);

    private static async Task<List<AgentUpdate>> ReadUntilAsync(ICellAgent agent, long afterEvent, Predicate<AgentUpdate> isLast)
    {
        List<AgentUpdate> updates = [];
        await foreach (var update in agent.WatchAsync(afterEvent, None))
        {
            updates.Add(update);
            if (isLast(update))
            {
                break;
            }
        }

        return updates;
    }

    private static async Task<List<string>> ReadLogsAsync(ICellAgent agent, LogQuery query)
    {
        List<string> lines = [];
        await foreach (var entry in agent.ReadLogsAsync("uid-1", query, None))
        {
            lines.Add(Encoding.UTF8.GetString(entry.Data.Span));
        }

        return lines;
    }

    private Task RunWithCellAsync(SimulatedCloudOptions options, Func<SimulatedCloud, string, Task> test) => _clock.RunAsync(async () =>
    {
        using var cloud = new SimulatedCloud(_clock, options);
        var instance = await cloud.CreateDriver("controller-1").LaunchAsync(Launches.Make(), None);
        await Task.Delay(Seconds(2), _clock);
        await test(cloud, instance.Address!);
    });

    private Task RunWithAgentAsync(SimulatedCloudOptions options, Func<SimulatedCloud, string, ICellAgent, Task> test) =>
        RunWithCellAsync(options, async (cloud, address) =>
        {
            await using var agent = await cloud.CreateConnector().ConnectAsync(Launches.MakeCell(address), null, None);
            await test(cloud, address, agent);
        });
}
