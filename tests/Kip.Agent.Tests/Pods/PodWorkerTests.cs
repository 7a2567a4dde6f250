using Kip.Agent.Runtime.Cri;
using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Tests.Pods;

public sealed class PodWorkerTests
{
    [Theory]
    [InlineData("Never", 0, "Succeeded")]
    [InlineData("Never", 3, "Failed")]
    [InlineData("OnFailure", 0, "Succeeded")]
    public async Task Exit_WithoutRestart_EndsThePod(string policy, int code, string phase)
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod(policy, WorkerHarness.Container()));
        var running = await harness.UntilAsync("Running", status => status.Phase == "Running");
        Assert.True(running.ContainerStatuses![0].Ready);
        Assert.Equal("True", running.Conditions!.Find(condition => condition.Type == "Ready")!.Status);

        harness.Runtime.Exit("main", code);
        harness.Worker.ContainerExited("container-2");
        var ended = await harness.UntilAsync("the end", status => status.Phase is "Succeeded" or "Failed");

        Assert.Equal(phase, ended.Phase);
        Assert.Equal(code, ended.ContainerStatuses![0].State!.Terminated!.ExitCode);
        Assert.Equal(["run 0", "create main 0", "start main 0", "stop sandbox"], harness.Runtime.CallList());
        Assert.Equal(["SandboxReady", "Pulled", "Created", "Started"], harness.Events.Select(each => each.Reason));
    }

    [Fact]
    [PodField("spec.restartPolicy")]
    public async Task Exit_WithPolicyAlways_BacksOffLikeTheKubelet()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        var waits = new List<double>();
        for (var run = 1; run <= 8; run++)
        {
            harness.Runtime.Exit("main", 1);
            var next = run;
            var waited = await harness.AdvanceUntilAsync($"run {next}", () => harness.Runtime.CallList().Contains($"start main {next}"));
            waits.Add(Math.Floor(waited.TotalSeconds / 10) * 10);
            await harness.UntilAsync($"restart count {next}", status => status.ContainerStatuses![0] is { RestartCount: var count, Ready: true } && count == next);
        }

        Assert.Equal([0, 10, 20, 40, 80, 160, 300, 300], waits);
        Assert.Contains(harness.Events, each => each.Reason == "BackOff" && each.Message == "Back-off restarting failed container main in pod pod_default(uid-1)");
    }

    [Fact]
    [PodField("spec.ephemeralContainers")]
    public async Task EphemeralContainer_AddedToARunningPod_RunsOnceBesideItsTarget()
    {
        await using var harness = new WorkerHarness();
        var pod = WorkerHarness.Pod("Always", WorkerHarness.Container());
        await harness.ApplyAsync(pod);
        var running = await harness.UntilAsync("Running", status => status.Phase == "Running");

        pod.Spec.EphemeralContainers =
            [new EphemeralContainer { Name = "debugger", Image = "app:1", TargetContainerName = "main", Stdin = true, Tty = true }];
        await harness.ApplyAsync(pod);
        await harness.UntilAsync("the debugger to run", status => status.EphemeralContainerStatuses is [{ State.Running: not null }]);
        var plan = harness.Runtime.Config("debugger");
        var target = plan.Linux.SecurityContext.NamespaceOptions;
        Assert.Equal((true, true, NamespaceMode.Target), (plan.Stdin, plan.Tty, target.Pid));
        Assert.Equal(running.ContainerStatuses![0].ContainerID, $"containerd://{target.TargetId}");

        harness.Runtime.Exit("debugger", 1);
        await harness.AdvanceUntilAsync("a minute", () => harness.Time.GetUtcNow() > running.StartTime!.Value.AddMinutes(1));
        var status = await harness.UntilAsync("the debugger's end", status => status.EphemeralContainerStatuses is [{ State.Terminated: not null }]);

        Assert.Equal(1, harness.Runtime.Runs("debugger"));
        Assert.Equal(("Running", true), (status.Phase, status.ContainerStatuses![0].Ready));
        Assert.Equal("main", Assert.Single(status.ContainerStatuses).Name);
        await harness.RestartAsync();
        status = await harness.UntilAsync("the restored pod", status => status.EphemeralContainerStatuses is [{ State.Terminated: not null }]);
        Assert.Equal(1, status.EphemeralContainerStatuses![0].State!.Terminated!.ExitCode);
        await harness.ApplyAsync(pod);
        await harness.StopAsync(0);
        await harness.UntilAsync("the end", each => each.Phase is "Failed" or "Succeeded");
    }

    [Fact]
    public async Task EphemeralContainer_WhoseTargetDoesNotRun_Waits()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.StartFails = name => name == "main" ? new RpcException(StatusCode.Unknown, "no") : null;
        var pod = WorkerHarness.Pod("Always", WorkerHarness.Container());
        pod.Spec.EphemeralContainers = [new EphemeralContainer { Name = "debugger", Image = "app:1", TargetContainerName = "main" }];

        await harness.ApplyAsync(pod);
        var status = await harness.UntilAsync(
            "a reason", status => status.EphemeralContainerStatuses is [{ State.Waiting.Reason: "CreateContainerConfigError" }]);

        Assert.Equal("unable to find target container main", status.EphemeralContainerStatuses![0].State!.Waiting!.Message);
    }

    [Fact]
    public async Task BackOff_AfterTenMinutesOfRunning_StartsOver()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        for (var run = 1; run <= 3; run++)
        {
            harness.Runtime.Exit("main", 1);
            var next = run;
            await harness.AdvanceUntilAsync($"run {next}", () => harness.Runtime.CallList().Contains($"start main {next}"));
            await harness.UntilAsync("Ready", status => status.ContainerStatuses![0] is { Ready: true, RestartCount: var count } && count == next);
        }

        harness.Time.Advance(TimeSpan.FromMinutes(10));
        harness.Runtime.Exit("main", 1);
        var waited = await harness.AdvanceUntilAsync("run 4", () => harness.Runtime.CallList().Contains("start main 4"));

        Assert.True(waited < TimeSpan.FromSeconds(5), $"waited {waited}");
    }

    [Fact]
    [PodField("status.containerStatuses[].state.waiting.reason", "status.containerStatuses[].state.waiting.message",
        "status.containerStatuses[].lastState")]
    public async Task CrashLoop_WhileItWaits_ShowsWhyAndHowItEnded()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("OnFailure", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        harness.Runtime.Exit("main", 1);
        await harness.AdvanceUntilAsync("run 1", () => harness.Runtime.CallList().Contains("start main 1"));
        await harness.UntilAsync("run 1 to show", status => status.ContainerStatuses![0].RestartCount == 1);
        harness.Runtime.Exit("main", 7);
        harness.Time.Advance(TimeSpan.FromSeconds(1));

        var status = await harness.UntilAsync("CrashLoopBackOff", status => status.ContainerStatuses![0].State!.Waiting?.Reason == "CrashLoopBackOff");

        Assert.Equal("Running", status.Phase);
        Assert.Equal("back-off 10s restarting failed container=main pod=pod_default(uid-1)", status.ContainerStatuses![0].State!.Waiting!.Message);
        Assert.Equal(7, status.ContainerStatuses[0].LastState!.Terminated!.ExitCode);
    }

    [Fact]
    [PodField("spec.initContainers", "spec.initContainers[].restartPolicy", "status.initContainerStatuses")]
    public async Task InitContainers_RunInOrderAndSidecarsStay()
    {
        await using var harness = new WorkerHarness();
        var pod = WorkerHarness.Pod("Never", WorkerHarness.Container());
        var sidecar = WorkerHarness.Container("proxy");
        sidecar.RestartPolicy = "Always";
        pod.Spec.InitContainers = [WorkerHarness.Container("first"), sidecar, WorkerHarness.Container("second")];
        await harness.ApplyAsync(pod);

        var status = await harness.UntilAsync("first", status => status.InitContainerStatuses![0].State!.Running is not null);
        Assert.Equal("Pending", status.Phase);
        Assert.Equal("PodInitializing", status.ContainerStatuses![0].State!.Waiting!.Reason);
        harness.Runtime.Exit("first", 0);
        harness.Time.Advance(TimeSpan.FromSeconds(1));
        await harness.UntilAsync("second", status => status.InitContainerStatuses![2].State!.Running is not null);
        Assert.True(harness.Runtime.IsRunning("proxy"));
        harness.Runtime.Exit("second", 0);
        harness.Time.Advance(TimeSpan.FromSeconds(1));
        await harness.UntilAsync("main", status => status.Phase == "Running" && status.ContainerStatuses![0].Ready);
        harness.Runtime.Exit("main", 0);
        harness.Time.Advance(TimeSpan.FromSeconds(1));
        var ended = await harness.UntilAsync("the end", status => status.Phase == "Succeeded");

        Assert.Equal(143, ended.InitContainerStatuses![1].State!.Terminated!.ExitCode);
        Assert.Equal(
            ["first", "proxy", "second", "main"],
            harness.Runtime.CallList().Where(call => call.StartsWith("start", StringComparison.Ordinal)).Select(call => call.Split(' ')[1]));
        Assert.Equal("stop sandbox", harness.Runtime.CallList()[^1]);
        Assert.StartsWith("stop proxy", harness.Runtime.CallList()[^2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task InitContainer_ThatFailsForGood_FailsThePodWithoutRunningIt()
    {
        await using var harness = new WorkerHarness();
        var pod = WorkerHarness.Pod("Never", WorkerHarness.Container());
        pod.Spec.InitContainers = [WorkerHarness.Container("init")];
        await harness.ApplyAsync(pod);
        await harness.UntilAsync("init", status => status.InitContainerStatuses![0].State!.Running is not null);
        harness.Runtime.Exit("init", 1);
        harness.Time.Advance(TimeSpan.FromSeconds(1));

        var status = await harness.UntilAsync("the end", status => status.Phase == "Failed");

        Assert.Equal("PodInitializing", status.ContainerStatuses![0].State!.Waiting!.Reason);
        Assert.DoesNotContain("create main 0", harness.Runtime.CallList());
    }

    [Fact]
    [PodField("spec.terminationGracePeriodSeconds")]
    public async Task Stop_WithGrace_TerminatesThenKills()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.OnTerminate = _ => null;
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");

        await harness.StopAsync(10);
        await harness.AdvanceUntilAsync("the stop", () => harness.Runtime.CallList().Contains("stop main 0 10s"), TimeSpan.FromMilliseconds(1));
        Assert.True(harness.Runtime.IsRunning("main"));
        var took = await harness.AdvanceUntilAsync("the kill", () => !harness.Runtime.IsRunning("main"));
        harness.Time.Advance(TimeSpan.FromSeconds(1));
        var ended = await harness.UntilAsync("the end", status => status.Phase == "Failed");

        Assert.InRange(took.TotalSeconds, 9, 11);
        Assert.Equal(137, ended.ContainerStatuses![0].State!.Terminated!.ExitCode);
        Assert.Contains(harness.Events, each => each is { Reason: "Killing", Message: "Stopping container main" });
    }

    [Fact]
    public async Task Stop_Twice_CanOnlyShorten()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.OnTerminate = _ => null;
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");

        await harness.StopAsync(100);
        await harness.StopAsync(200);
        await harness.AdvanceUntilAsync("the stop", () => harness.Runtime.CallList().Contains("stop main 0 100s"), TimeSpan.FromMilliseconds(1));
        await harness.StopAsync(2);
        await harness.AdvanceUntilAsync("the shorter stop", () => harness.Runtime.CallList().Contains("stop main 0 2s"), TimeSpan.FromMilliseconds(1));
        var took = await harness.AdvanceUntilAsync("the kill", () => !harness.Runtime.IsRunning("main"));

        Assert.InRange(took.TotalSeconds, 1, 4);
        Assert.DoesNotContain("stop main 0 200s", harness.Runtime.CallList());
    }

    [Fact]
    public async Task Stop_OfAPodThatObeys_SucceedsOrFailsByItsExitCode()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        await harness.StopAsync(30);
        var ended = await harness.UntilAsync("the end", status => status.Phase is "Failed" or "Succeeded");

        Assert.Equal(("Failed", 143), (ended.Phase, ended.ContainerStatuses![0].State!.Terminated!.ExitCode));
        Assert.Single(harness.Runtime.CallList(), call => call.StartsWith("start", StringComparison.Ordinal));
    }

    [Fact]
    [PodField("spec.containers[].image", "status.containerStatuses[].state.waiting.reason")]
    public async Task Pull_ThatFails_BacksOffAndComesBack()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.Pull = _ => new RpcException(StatusCode.Unknown, "no such image");
        var container = new Container { Name = "main", Image = "registry.test/team/app:2" };
        await harness.ApplyAsync(
            WorkerHarness.Pod("Never", container),
            new RegistryCredential { Registry = "registry.test", Username = "all" },
            new RegistryCredential { Registry = "https://registry.test/team/", Username = "team" },
            new RegistryCredential { Registry = "registry.test/te", Username = "other" });
        var status = await harness.UntilAsync("ErrImagePull", status => status.ContainerStatuses![0].State!.Waiting?.Reason == "ErrImagePull");
        Assert.Equal("no such image", status.ContainerStatuses![0].State!.Waiting!.Message);
        harness.Time.Advance(TimeSpan.FromSeconds(1));
        await harness.UntilAsync("ImagePullBackOff", status => status.ContainerStatuses![0].State!.Waiting?.Reason == "ImagePullBackOff");
        var second = await harness.AdvanceUntilAsync("the second pull", () => Pulls(harness) == 2);
        var third = await harness.AdvanceUntilAsync("the third pull", () => Pulls(harness) == 3);
        harness.Runtime.Pull = _ => null;
        await harness.AdvanceUntilAsync("the start", () => harness.Runtime.IsRunning("main"));

        Assert.InRange(second.TotalSeconds, 8, 11);
        Assert.InRange(third.TotalSeconds, 19, 22);
        Assert.All(harness.Runtime.CallList().Where(call => call.StartsWith("pull", StringComparison.Ordinal)), call => Assert.Equal("pull registry.test/team/app:2 team", call));
        Assert.Contains(harness.Events, each => each is { Reason: "BackOff", Message: "Back-off pulling image \"registry.test/team/app:2\"" });
    }

    [Theory]
    [InlineData("Never", "missing:1", "ErrImageNeverPull")]
    [InlineData("IfNotPresent", "Bad Name", "InvalidImageName")]
    public async Task Image_ThatCannotBe_IsSaidSo(string policy, string image, string reason)
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Never", new Container { Name = "main", Image = image, ImagePullPolicy = policy }));

        await harness.UntilAsync(reason, status => status.ContainerStatuses![0].State!.Waiting?.Reason == reason);

        Assert.Equal(0, Pulls(harness));
    }

    [Fact]
    public async Task Start_ThatTheRuntimeRefuses_FailsThePodWithItsReason()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.StartFails = _ => new RpcException(StatusCode.Unknown, "exec: \"nope\": executable file not found in $PATH");
        await harness.ApplyAsync(WorkerHarness.Pod("Never", WorkerHarness.Container()));

        var status = await harness.UntilAsync("the end", status => status.Phase == "Failed");

        var terminated = status.ContainerStatuses![0].State!.Terminated!;
        Assert.Equal((128, "StartError"), (terminated.ExitCode, terminated.Reason));
        Assert.Contains("executable file not found", terminated.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Restart_OfTheAgent_AdoptsWhatRuns()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        harness.Runtime.Exit("main", 1);
        await harness.AdvanceUntilAsync("run 1", () => harness.Runtime.CallList().Contains("start main 1"));
        var before = await harness.UntilAsync("run 1 to show", status => status.ContainerStatuses![0] is { RestartCount: 1, Ready: true });

        await harness.RestartAsync();
        var after = await harness.UntilAsync("the adopted pod", status => status.ContainerStatuses![0].Ready);
        await WorkerHarness.SettleAsync();

        Assert.Equal((1, before.ContainerStatuses![0].ContainerID), (after.ContainerStatuses![0].RestartCount, after.ContainerStatuses[0].ContainerID));
        Assert.Equal(1, after.ContainerStatuses[0].LastState!.Terminated!.ExitCode);
        Assert.Equal(2, harness.Runtime.CallList().Count(call => call.StartsWith("create", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Restart_OfTheAgent_SeesWhatEndedMeanwhile()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Never", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");

        harness.Runtime.Exit("main", 5);
        await harness.RestartAsync();

        var ended = await harness.UntilAsync("the end", status => status.Phase == "Failed");
        Assert.Equal(5, ended.ContainerStatuses![0].State!.Terminated!.ExitCode);
    }

    [Fact]
    public async Task Restart_DuringAStop_GoesOnStopping()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.OnTerminate = _ => null;
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        await harness.StopAsync(60);
        await harness.AdvanceUntilAsync("the stop", () => harness.Runtime.CallList().Any(call => call.StartsWith("stop main", StringComparison.Ordinal)));
        harness.Runtime.OnTerminate = _ => 0;
        await harness.RestartAsync();

        await harness.UntilAsync("the end", status => status.Phase == "Succeeded");
    }

    [Fact]
    public async Task Runtime_ThatGoesAway_IsSaidAndWaitedFor()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");

        harness.Runtime.Away = new RpcException(StatusCode.Unavailable, "connection refused");
        await harness.AdvanceUntilAsync("the event", () => harness.Events.Any(each => each.Reason == "RuntimeNotAnswering"));
        var away = await harness.UntilAsync("the message", status => status.Conditions!.Exists(each => each.Reason == "RuntimeNotAnswering"));
        Assert.Equal("Running", away.Phase);
        harness.Time.Advance(TimeSpan.FromSeconds(30));
        await WorkerHarness.SettleAsync();
        harness.Runtime.Away = null;
        await harness.AdvanceUntilAsync("the answer", () => harness.Runtime.IsRunning("main"));
        harness.Time.Advance(TimeSpan.FromSeconds(5));
        var back = await harness.UntilAsync("the old status", status => !status.Conditions!.Exists(each => each.Reason == "RuntimeNotAnswering"));

        Assert.Equal(0, back.ContainerStatuses![0].RestartCount);
        Assert.Single(harness.Events, each => each.Reason == "RuntimeNotAnswering");
    }

    [Theory]
    [InlineData(9, 0)]
    [InlineData(13, 1)] // it is looked for every two seconds
    public async Task Runtime_ThatBootsBesideTheAgent_IsATroubleOnlyIfItTakesLong(int seconds, int events)
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.Away = new RpcException(StatusCode.Unavailable, "connection refused");
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("the message", status => status.Conditions!.Exists(each => each.Reason == "RuntimeNotAnswering"));
        for (var second = 0; second < seconds; second++)
        {
            harness.Time.Advance(TimeSpan.FromSeconds(1));
            await WorkerHarness.SettleAsync();
        }

        harness.Runtime.Away = null;
        await harness.AdvanceUntilAsync("the container", () => harness.Runtime.IsRunning("main"));

        Assert.Equal(events, harness.Events.Count(each => each.Reason == "RuntimeNotAnswering"));
    }

    [Fact]
    public async Task RuntimeCame_AfterItWasAway_LooksAtOnce()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.Away = new RpcException(StatusCode.Unavailable, "connection refused");
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("the message", status => status.Conditions!.Exists(each => each.Reason == "RuntimeNotAnswering"));
        harness.Time.Advance(TimeSpan.FromSeconds(30));
        await WorkerHarness.SettleAsync();

        harness.Runtime.Away = null;
        harness.Worker.RuntimeCame();
        var waited = await harness.AdvanceUntilAsync("the container", () => harness.Runtime.IsRunning("main"), TimeSpan.FromMilliseconds(1));

        // By itself it would have looked after two seconds.
        Assert.InRange(waited, TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Sandbox_ThatDies_IsMadeAnew()
    {
        await using var harness = new WorkerHarness();
        var pod = WorkerHarness.Pod("Always", WorkerHarness.Container());
        pod.Spec.InitContainers = [WorkerHarness.Container("init")];
        await harness.ApplyAsync(pod);
        await harness.UntilAsync("init", status => status.InitContainerStatuses![0].State!.Running is not null);
        harness.Runtime.Exit("init", 0);
        harness.Time.Advance(TimeSpan.FromSeconds(1));
        await harness.UntilAsync("Running", status => status.ContainerStatuses![0].Ready);

        harness.Runtime.KillSandbox();
        await harness.AdvanceUntilAsync("the new sandbox", () => harness.Runtime.CallList().Contains("start init 1"));
        harness.Runtime.Exit("init", 0);
        await harness.AdvanceUntilAsync("the new run", () => harness.Runtime.CallList().Contains("start main 1"));

        Assert.Contains("run 1", harness.Runtime.CallList());
    }

    [Fact]
    [PodField("spec.containers[].image")]
    public async Task Apply_WithAnotherImage_ReplacesTheContainer()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.AddImage("docker.io/library/app:2");
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.ApplyAsync(WorkerHarness.Pod("Always", new Container { Name = "main", Image = "app:2" }));

        await harness.AdvanceUntilAsync("the new run", () => harness.Runtime.CallList().Contains("start main 1"), TimeSpan.FromMilliseconds(10));

        Assert.Equal("sha256:docker.io/library/app:2", harness.Runtime.Config("main").Image.Image);
        Assert.Equal(1, harness.Runtime.CallList().Count(call => call.StartsWith("stop main", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Apply_OfAnotherPod_IsRefused()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        var other = WorkerHarness.Pod("Always", WorkerHarness.Container());
        other.Metadata.Uid = "uid-2";

        var error = await Assert.ThrowsAsync<RpcException>(() => harness.ApplyAsync(other));

        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
    }

    [Fact]
    public async Task Runs_ThatAreOld_AreRemovedButTheLastTwo()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        for (var run = 1; run <= 3; run++)
        {
            harness.Runtime.Exit("main", 1);
            var next = run;
            await harness.AdvanceUntilAsync($"run {next}", () => harness.Runtime.CallList().Contains($"start main {next}"));
            await harness.UntilAsync("Ready", status => status.ContainerStatuses![0] is { Ready: true, RestartCount: var count } && count == next);
        }

        await harness.AdvanceUntilAsync("the removal", () => harness.Runtime.CallList().Contains("remove main 1"));

        Assert.Equal(2, harness.Runtime.Runs("main"));
    }

    [Fact]
    public async Task Generation_OverRestarts_Grows()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WorkerHarness.Pod("Never", WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        var before = harness.Generation;
        await harness.RestartAsync();
        harness.Runtime.Exit("main", 0);
        harness.Time.Advance(TimeSpan.FromSeconds(1));
        await harness.UntilAsync("the end", status => status.Phase == "Succeeded");

        Assert.True(harness.Generation > before, $"{harness.Generation} after {before}");
    }

    private static int Pulls(WorkerHarness harness) =>
        harness.Runtime.CallList().Count(call => call.StartsWith("pull", StringComparison.Ordinal));
}
