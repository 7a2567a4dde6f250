using System.Collections.Concurrent;
using Google.Protobuf;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.Tests.Support;
using Kip.Grpc;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;
using ContainerStatus = Kip.Kubernetes.Objects.ContainerStatus;

namespace Kip.Agent.Tests.Probes;

/// <summary>What comes of probes, with commands whose results the test gives.</summary>
public sealed class PodWorkerProbesTests
{
    /// <summary>The results of commands, by the first word; what is not listed succeeds.</summary>
    private readonly ConcurrentDictionary<string, string> _failing = new();
    private readonly ConcurrentQueue<string> _asked = new();

    [Theory]
    [InlineData("Always", 143)]
    [InlineData("OnFailure", 0)]
    [PodField("spec.containers[].livenessProbe", "spec.containers[].livenessProbe.failureThreshold", "spec.containers[].livenessProbe.periodSeconds",
        "status.containerStatuses[].lastState")]
    public async Task Liveness_FailsThreeTimes_RestartsTheContainer(string policy, int exitCode)
    {
        await using var harness = Harness();
        harness.Runtime.OnTerminate = _ =>
        {
            _failing.Clear();
            return exitCode;
        };
        var container = WorkerHarness.Container();
        container.LivenessProbe = Exec("live");
        container.LivenessProbe.TerminationGracePeriodSeconds = 7;
        await harness.ApplyAsync(WorkerHarness.Pod(policy, container));
        var running = await harness.UntilAsync("Ready", status => Of(status).Ready);
        Assert.True(Of(running).Started);

        _failing["live"] = "sick";
        await harness.AdvanceUntilAsync("the restart", () => Calls(harness, "start main 1"));
        await harness.UntilAsync("the second run", status => Of(status) is { RestartCount: 1, Ready: true });

        Assert.Equal(
            ["run 0", "create main 0", "start main 0", "stop main 0 7s", "create main 1", "start main 1"], harness.Runtime.CallList());
        await ToldAsync(harness, "Killing", "Container main failed liveness probe, will be restarted");
        var events = harness.Events.Where(each => each.Reason is "Unhealthy" or "Killing").ToList();
        Assert.Equal(
            [.. Enumerable.Repeat("Liveness probe failed: sick", 3), "Container main failed liveness probe, will be restarted"],
            events.Select(each => each.Message));
        Assert.All(events, each => Assert.Equal("main", each.Container));
    }

    [Fact]
    public async Task Liveness_FailsWithPolicyNever_EndsThePod()
    {
        await using var harness = Harness();
        _failing["live"] = "sick";
        var container = WorkerHarness.Container();
        container.LivenessProbe = Exec("live", failures: 1);
        await harness.ApplyAsync(WorkerHarness.Pod("Never", container));

        var ended = await harness.UntilAsync("the end", status => status.Phase == "Failed");

        Assert.Equal(143, Of(ended).State!.Terminated!.ExitCode);
        Assert.Contains("stop main 0 30s", harness.Runtime.CallList());
        await ToldAsync(harness, "Killing", "Container main failed liveness probe");
        await ExpectSilenceAsync(harness, "live");
    }

    [Fact]
    public async Task Liveness_FailsBecauseTheContainerIsThrough_IsNoReasonToRestart()
    {
        await using var harness = Harness();
        harness.Runtime.Exec = (_, _) =>
        {
            harness.Runtime.Exit("main", 0);
            return Task.FromResult(new ExecSyncResponse { ExitCode = 1 });
        };
        var container = WorkerHarness.Container();
        container.LivenessProbe = Exec("live", failures: 1);
        await harness.ApplyAsync(WorkerHarness.Pod("OnFailure", container));

        await harness.UntilAsync("the end", status => status.Phase == "Succeeded");

        Assert.Equal(1, harness.Runtime.Runs("main"));
    }

    [Fact]
    public async Task Liveness_CannotBeCarriedOut_SaysSoAndHarmsNothing()
    {
        await using var harness = Harness();
        harness.Runtime.Exec = (_, command) =>
        {
            _asked.Enqueue(command[0]);
            throw new RpcException(StatusCode.Internal, "no such file");
        };
        var container = WorkerHarness.Container();
        container.LivenessProbe = Exec("live", failures: 1);
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));
        await harness.UntilAsync("Ready", status => Of(status).Ready);

        await harness.AdvanceUntilAsync("four rounds of three attempts", () => _asked.Count >= 12);
        var status = await harness.UntilAsync("Ready still", status => Of(status).Ready);

        Assert.Equal(0, Of(status).RestartCount);
        Assert.DoesNotContain(harness.Runtime.CallList(), call => call.StartsWith("stop", StringComparison.Ordinal));
        await harness.AdvanceUntilAsync("three events", () => harness.Events.Count(each => each.Reason == "Unhealthy") >= 3);
        var unhealthy = harness.Events.Where(each => each.Reason == "Unhealthy").ToList();
        Assert.All(unhealthy, each => Assert.Equal(
            "Liveness probe errored and resulted in unknown state: rpc error: code = Internal desc = no such file", each.Message));
        Assert.InRange(unhealthy.Count, 3, _asked.Count / 3);
    }

    [Fact]
    [PodField("spec.containers[].readinessProbe", "spec.containers[].readinessProbe.successThreshold", "status.containerStatuses[].ready",
        "status.conditions")]
    public async Task Readiness_ComesAndGoes_IsTheContainersAndThePods()
    {
        await using var harness = Harness();
        _failing["ready"] = "not yet";
        var container = WorkerHarness.Container();
        container.ReadinessProbe = Exec("ready", failures: 2);
        container.ReadinessProbe.SuccessThreshold = 2;
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));

        await harness.AdvanceUntilAsync("three checks", () => _asked.Count >= 3);
        var unready = await harness.UntilAsync("running unready", status => Of(status).State!.Running is not null);
        Assert.Equal((false, true, "False", "False"), Readiness(unready));
        Assert.Equal("containers with unready status: [main]", unready.Conditions!.Find(each => each.Type == "Ready")!.Message);

        var before = _asked.Count;
        _failing.Clear();
        await harness.AdvanceUntilAsync("two checks more", () => _asked.Count >= before + 2);
        Assert.Equal((true, true, "True", "True"), Readiness(await harness.UntilAsync("Ready", status => Of(status).Ready)));

        _failing["ready"] = "no more";
        before = _asked.Count;
        await harness.AdvanceUntilAsync("two failures", () => _asked.Count >= before + 2);
        var again = await harness.UntilAsync("unready again", status => !Of(status).Ready);
        Assert.Equal((false, true, "False", "False"), Readiness(again));
        Assert.Equal(0, Of(again).RestartCount);
        await ToldAsync(harness, "Unhealthy", "Readiness probe failed: no more");
    }

    [Fact]
    [PodField("spec.containers[].startupProbe", "status.containerStatuses[].started")]
    public async Task Startup_NotSucceededYet_HoldsTheOtherProbes()
    {
        await using var harness = Harness();
        _failing["up"] = "starting";
        var container = WorkerHarness.Container();
        (container.StartupProbe, container.LivenessProbe, container.ReadinessProbe) = (Exec("up", failures: 100), Exec("live"), Exec("ready"));
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));
        await harness.AdvanceUntilAsync("five checks", () => _asked.Count >= 5);
        Assert.Equal((false, false, "False", "False"), Readiness(await harness.UntilAsync("a run", status => Of(status).State!.Running is not null)));
        Assert.All(_asked, word => Assert.Equal("up", word));

        _failing.Clear();
        await harness.AdvanceUntilAsync("the others", () => _asked.Count(word => word == "live") >= 3 && _asked.Count(word => word == "ready") >= 3);
        Assert.Equal((true, true, "True", "True"), Readiness(await harness.UntilAsync("Ready", status => Of(status).Ready)));

        var order = _asked.ToList();
        Assert.Equal("up", order[order.FindIndex(word => word != "up") - 1]);
        Assert.DoesNotContain("up", order.SkipWhile(word => word == "up"));
    }

    [Fact]
    public async Task Startup_Fails_RestartsTheContainerWhichStartsAnew()
    {
        await using var harness = Harness();
        _failing["up"] = "stuck";
        var container = WorkerHarness.Container();
        (container.StartupProbe, container.LivenessProbe) = (Exec("up", failures: 2), Exec("live"));
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));

        await harness.AdvanceUntilAsync("the restart", () => Calls(harness, "start main 1"));
        var second = await harness.UntilAsync("the second run", status => Of(status) is { RestartCount: 1, State.Running: not null });

        Assert.Equal((false, false), (Of(second).Ready, Of(second).Started));
        Assert.DoesNotContain("live", _asked);
        await ToldAsync(harness, "Unhealthy", "Startup probe failed: stuck");
        await ToldAsync(harness, "Killing", "Container main failed startup probe, will be restarted");
    }

    [Fact]
    [PodField("spec.initContainers[].restartPolicy")]
    public async Task Startup_OfASidecar_HoldsTheContainersAfterIt()
    {
        await using var harness = Harness();
        _failing["up"] = "starting";
        var sidecar = WorkerHarness.Container("side");
        (sidecar.RestartPolicy, sidecar.StartupProbe) = ("Always", Exec("up", failures: 100));
        var pod = WorkerHarness.Pod("Always", WorkerHarness.Container());
        pod.Spec.InitContainers = [sidecar, WorkerHarness.Container("init")];
        await harness.ApplyAsync(pod);

        await harness.AdvanceUntilAsync("three checks", () => _asked.Count >= 3);
        var held = await harness.UntilAsync("the sidecar", status => status.InitContainerStatuses![0].State!.Running is not null);
        Assert.Equal(("Pending", false), (held.Phase, held.InitContainerStatuses![0].Started));
        Assert.Equal(
            "containers with incomplete status: [side init]", held.Conditions!.Find(condition => condition.Type == "Initialized")!.Message);
        Assert.Equal(0, harness.Runtime.Runs("init"));

        _failing.Clear();
        await harness.AdvanceUntilAsync("the init container", () => harness.Runtime.IsRunning("init"));
        harness.Runtime.Exit("init", 0);
        await harness.AdvanceUntilAsync("the app", () => harness.Runtime.IsRunning("main"));
        await harness.UntilAsync("Running", status => status.Phase == "Running" && status.InitContainerStatuses![0].Ready);
    }

    [Fact]
    [PodField("spec.containers[].livenessProbe.initialDelaySeconds")]
    public async Task InitialDelay_NotOver_NothingIsAsked()
    {
        await using var harness = Harness();
        var container = WorkerHarness.Container();
        container.ReadinessProbe = Exec("ready");
        container.ReadinessProbe.InitialDelaySeconds = 25;
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));
        var running = await harness.UntilAsync("a run", status => Of(status).State?.Running is not null);

        await harness.AdvanceUntilAsync("the first check", () => !_asked.IsEmpty);

        Assert.InRange((harness.Time.GetUtcNow() - Of(running).State!.Running!.StartedAt!.Value).TotalSeconds, 25, double.MaxValue);
    }

    [Fact]
    public async Task AgentRestarts_ReadyContainer_StaysReadyUntilAProbeSaysOtherwise()
    {
        await using var harness = Harness();
        var container = WorkerHarness.Container();
        (container.StartupProbe, container.LivenessProbe, container.ReadinessProbe) = (Exec("up"), Exec("live"), Exec("ready"));
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));
        await harness.AdvanceUntilAsync("all checks", () => _asked.Distinct().Count() == 3);
        await harness.UntilAsync("Ready", status => Of(status).Ready);
        var answer = new TaskCompletionSource<ExecSyncResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = harness.Runtime.CallList();
        _asked.Clear();
        harness.Runtime.Exec = (_, command) =>
        {
            _asked.Enqueue(command[0]);
            return command[0] == "ready" ? answer.Task : Task.FromResult(new ExecSyncResponse());
        };

        await harness.RestartAsync();
        await harness.AdvanceUntilAsync("the probes", () => _asked.Contains("live") && _asked.Contains("ready"));
        var kept = await harness.UntilAsync("Ready still", status => Of(status).Ready);
        Assert.True(Of(kept).Started);
        answer.SetResult(new ExecSyncResponse { ExitCode = 1 });
        await harness.AdvanceUntilAsync("three failures", () => _asked.Count(word => word == "ready") >= 3);
        var unready = await harness.UntilAsync("unready", status => !Of(status).Ready);

        Assert.Equal((true, 0), (Of(unready).Started, Of(unready).RestartCount));
        Assert.Equal(calls, harness.Runtime.CallList());
        Assert.DoesNotContain("up", _asked);
    }

    [Fact]
    public async Task Stop_UnderWay_OnlyReadinessIsAsked()
    {
        await using var harness = Harness();
        harness.Runtime.OnTerminate = _ => null;
        var container = WorkerHarness.Container();
        (container.LivenessProbe, container.ReadinessProbe) = (Exec("live"), Exec("ready"));
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));
        await harness.UntilAsync("Ready", status => Of(status).Ready);

        await harness.StopAsync(10_000);
        await harness.AdvanceUntilAsync("the stop", () => Calls(harness, "stop main"));
        await ExpectSilenceAsync(harness, "live");
        _failing["ready"] = "draining";
        var before = _asked.Count;
        await harness.AdvanceUntilAsync("three failures", () => _asked.Count >= before + 4);

        await harness.UntilAsync("unready", status => !Of(status).Ready && Of(status).State!.Running is not null);
    }

    [Fact]
    public async Task Exec_CommandWithReferences_SeesTheContainersVariables()
    {
        await using var harness = Harness();
        var container = WorkerHarness.Container();
        container.Env = [new EnvVar { Name = "WORD", Value = "expanded" }];
        container.ReadinessProbe = Exec("$(WORD)");
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));

        await harness.UntilAsync("Ready", status => Of(status).Ready);

        Assert.Equal("expanded", _asked.First());
    }

    private WorkerHarness Harness()
    {
        var harness = new WorkerHarness();
        harness.Runtime.Exec = (_, command) =>
        {
            _asked.Enqueue(command[0]);
            return Task.FromResult(_failing.TryGetValue(command[0], out var output)
                ? new ExecSyncResponse { ExitCode = 1, Stdout = ByteString.CopyFromUtf8(output) }
                : new ExecSyncResponse());
        };
        return harness;
    }

    /// <summary>Fails when the probe goes on; one check may still have been under way.</summary>
    private async Task ExpectSilenceAsync(WorkerHarness harness, string word)
    {
        var before = _asked.Count(each => each == word);
        var end = harness.Time.GetUtcNow().AddMinutes(2);
        await harness.AdvanceUntilAsync("two minutes", () => harness.Time.GetUtcNow() > end);
        Assert.InRange(_asked.Count(each => each == word) - before, 0, 1);
    }

    /// <summary>Events reach the harness on their own way, and may do so after a status.</summary>
    private static Task<TimeSpan> ToldAsync(WorkerHarness harness, string reason, string message) => harness.AdvanceUntilAsync(
        $"an event {reason}: {message}", () => harness.Events.Any(each => each.Reason == reason && each.Message == message));

    private static bool Calls(WorkerHarness harness, string call) =>
        harness.Runtime.CallList().Any(each => each.StartsWith(call, StringComparison.Ordinal));

    private static Probe Exec(string word, int failures = 3) => new()
    {
        Exec = new ExecAction { Command = [word] }, FailureThreshold = failures, PeriodSeconds = 5,
    };

    private static ContainerStatus Of(PodStatus status) => status.ContainerStatuses![0];

    private static (bool Ready, bool? Started, string PodReady, string ContainersReady) Readiness(PodStatus status) => (
        Of(status).Ready,
        Of(status).Started,
        status.Conditions!.Find(condition => condition.Type == "Ready")!.Status,
        status.Conditions!.Find(condition => condition.Type == "ContainersReady")!.Status);
}
