using System.Collections.Concurrent;
using System.Globalization;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Tests.Pods;

/// <summary>What the pod worker does about <c>lifecycle</c>.</summary>
public sealed class PodWorkerHooksTests
{
    private static readonly ExecSyncResponse _good = new();
    private static readonly ExecSyncResponse _bad = new() { ExitCode = 1, Stderr = Google.Protobuf.ByteString.CopyFromUtf8("the password is wrong") };

    [Fact]
    public async Task PostStart_UntilItIsThrough_HoldsBackTheContainerAndTheNext()
    {
        await using var harness = new WorkerHarness();
        var hook = new TaskCompletionSource<ExecSyncResponse>();
        var commands = new ConcurrentQueue<string>();
        harness.Runtime.Exec = (name, command) =>
        {
            commands.Enqueue($"{name}: {string.Join(' ', command)}");
            return hook.Task;
        };
        var container = With(postStart: Exec("greet"));
        container.LivenessProbe = new Probe { Exec = new ExecAction { Command = ["probe"] }, PeriodSeconds = 1 };
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container, WorkerHarness.Container("next")));

        var status = await UntilAsync(harness, "the hook", () => !commands.IsEmpty);
        Assert.Equal("Pending", status.Phase);
        Assert.All(status.ContainerStatuses!, container =>
            Assert.Equal(("ContainerCreating", false, false), (container.State!.Waiting?.Reason, container.Ready, container.Started!.Value)));
        Assert.True(harness.Runtime.IsRunning("main"));
        await harness.AdvanceUntilAsync("some seconds", () => harness.Time.GetUtcNow() > status.StartTime!.Value.AddSeconds(10));
        Assert.DoesNotContain("create next 0", harness.Runtime.CallList());
        Assert.Equal(["main: greet"], commands);

        hook.SetResult(_good);
        await harness.UntilAsync("both to run", status => status.ContainerStatuses!.TrueForAll(container => container is { Ready: true, Started: true }));
        await harness.AdvanceUntilAsync("a probe", () => commands.Contains("main: probe"));
    }

    [Fact]
    public async Task PostStart_ThatFails_KillsTheContainerAndThePolicyDecides()
    {
        await using var harness = new WorkerHarness();
        var tries = 0;
        harness.Runtime.Exec = (_, _) => Task.FromResult(++tries == 3 ? _good : _bad);
        await harness.ApplyAsync(WorkerHarness.Pod("Always", With(postStart: Exec("greet"))));

        var waiting = await harness.UntilAsync("the back-off", status => status.ContainerStatuses![0].State!.Waiting?.Reason == "CrashLoopBackOff");
        Assert.Equal(143, waiting.ContainerStatuses![0].LastState!.Terminated!.ExitCode);
        await harness.AdvanceUntilAsync("the third run", () => harness.Runtime.CallList().Contains("start main 2"));
        await harness.UntilAsync("Running", status => status.ContainerStatuses![0] is { Ready: true, RestartCount: 2 });

        Assert.Equal(2, harness.Events.Count(each => each is { Type: "Warning", Reason: "FailedPostStartHook", Message: "PostStartHook failed" }));
        Assert.Equal(2, harness.Events.Count(each => each is { Reason: "Killing", Message: "FailedPostStartHook" }));
        Assert.DoesNotContain(harness.Events, each => each.Message.Contains("password", StringComparison.Ordinal));
    }

    [Fact]
    public async Task PostStart_ThatFailsWithoutRestart_FailsThePod()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.OnTerminate = _ => null;
        harness.Runtime.Exec = (_, _) => Task.FromResult(_bad);
        await harness.ApplyAsync(WorkerHarness.Pod("Never", With(postStart: Exec("greet"))));

        var waiting = await harness.UntilAsync("the failure", status => status.ContainerStatuses![0].State!.Waiting?.Reason == "PostStartHookError");
        Assert.Equal("PostStart hook of container main failed: the password is wrong", waiting.ContainerStatuses![0].State!.Waiting!.Message);
        await harness.AdvanceUntilAsync("the kill", () => !harness.Runtime.IsRunning("main"));
        var ended = await EndAsync(harness);

        Assert.Equal(("Failed", 137), (ended.Phase, ended.ContainerStatuses![0].State!.Terminated!.ExitCode));
    }

    [Fact]
    public async Task PostStart_OverARestartOfTheAgent_IsBegunAnewUnlessItWasThrough()
    {
        await using var harness = new WorkerHarness();
        var (tries, hook) = (0, new TaskCompletionSource<ExecSyncResponse>());
        harness.Runtime.Exec = (_, _) =>
        {
            Interlocked.Increment(ref tries);
            return hook.Task;
        };
        await harness.ApplyAsync(WorkerHarness.Pod("Always", With(postStart: Exec("greet"))));
        await UntilAsync(harness, "the hook", () => Volatile.Read(ref tries) == 1);

        await harness.RestartAsync();
        await UntilAsync(harness, "the hook again", () => Volatile.Read(ref tries) == 2);
        hook.SetResult(_good);
        await harness.UntilAsync("Running", status => status.ContainerStatuses![0].Ready);
        await harness.RestartAsync();
        await harness.UntilAsync("the adopted pod", status => status.ContainerStatuses![0].Ready);
        await WorkerHarness.SettleAsync();

        Assert.Equal((2, 1), (tries, harness.Runtime.Runs("main")));
    }

    [Fact]
    public async Task Stop_DuringPostStart_DoesNotWaitForIt()
    {
        await using var harness = new WorkerHarness();
        var tries = 0;
        harness.Runtime.Exec = (_, _) =>
        {
            Interlocked.Increment(ref tries);
            return new TaskCompletionSource<ExecSyncResponse>().Task;
        };
        await harness.ApplyAsync(WorkerHarness.Pod("Always", With(postStart: Exec("greet"))));
        await UntilAsync(harness, "the hook", () => Volatile.Read(ref tries) == 1);

        await harness.StopAsync(30);
        var ended = await EndAsync(harness);

        Assert.Equal((143, 1), (ended.ContainerStatuses![0].State!.Terminated!.ExitCode, tries));
        Assert.DoesNotContain(harness.Events, each => each.Reason == "FailedPostStartHook");
    }

    [Fact]
    public async Task PreStop_OnAStop_PrecedesTheSignalAndTakesFromTheGrace()
    {
        await using var harness = new WorkerHarness();
        var (hook, begun) = (new TaskCompletionSource<ExecSyncResponse>(), new TaskCompletionSource());
        harness.Runtime.Exec = (_, _) =>
        {
            begun.SetResult();
            return hook.Task;
        };
        await RunAsync(harness, With(preStop: Exec("drain")));

        await harness.StopAsync(300);
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        harness.Time.Advance(TimeSpan.FromSeconds(100));
        await WorkerHarness.SettleAsync();
        Assert.Empty(Stops(harness));
        hook.SetResult(_good);
        await EndAsync(harness);

        Assert.InRange(Assert.Single(Stops(harness)), 150, 200);
        Assert.DoesNotContain(harness.Events, each => each.Reason == "FailedPreStopHook");
    }

    [Fact]
    public async Task PreStop_ThatTakesTooLong_LeavesTheContainerTwoSeconds()
    {
        await using var harness = new WorkerHarness();
        var begun = new TaskCompletionSource();
        harness.Runtime.Exec = (_, _) =>
        {
            begun.SetResult();
            return new TaskCompletionSource<ExecSyncResponse>().Task;
        };
        await RunAsync(harness, With(preStop: Exec("drain")));

        await harness.StopAsync(30);
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        var took = await harness.AdvanceUntilAsync("the stop", () => Stops(harness).Count > 0);
        await EndAsync(harness);

        Assert.True(took.TotalSeconds >= 29, $"after {took}");
        Assert.Equal([2], Stops(harness));
        Assert.DoesNotContain(harness.Events, each => each.Reason == "FailedPreStopHook");
    }

    [Fact]
    public async Task PreStop_ThatFails_IsToldAndTheStopGoesOn()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.Exec = (_, _) => Task.FromResult(_bad);
        await RunAsync(harness, With(preStop: Exec("drain")));

        await harness.StopAsync(30);
        await EndAsync(harness);

        Assert.Single(Stops(harness));
        Assert.Single(harness.Events, each => each is { Type: "Warning", Reason: "FailedPreStopHook", Message: "PreStopHook failed", Container: "main" });
    }

    [Fact]
    [PodField("spec.containers[].lifecycle.preStop.sleep")]
    public async Task PreStop_ThatSleeps_DelaysTheSignal()
    {
        await using var harness = new WorkerHarness();
        await RunAsync(harness, With(preStop: new LifecycleHandler { Sleep = new SleepAction { Seconds = 10 } }));

        await harness.StopAsync(100_000);
        var took = await harness.AdvanceUntilAsync("the stop", () => Stops(harness).Count > 0);
        await EndAsync(harness);

        Assert.True(took.TotalSeconds >= 10, $"after {took}");
        Assert.InRange(Assert.Single(Stops(harness)), 3, 99_990);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PreStop_OfWhatEndsByItselfOrAtOnce_IsNotRun(bool byItself)
    {
        await using var harness = new WorkerHarness();
        var tries = 0;
        harness.Runtime.Exec = (_, _) => Task.FromResult(++tries > 0 ? _good : _bad);
        await RunAsync(harness, With(preStop: Exec("drain")));

        if (byItself)
        {
            harness.Runtime.Exit("main", 0);
            harness.Time.Advance(TimeSpan.FromSeconds(1));
        }
        else
        {
            await harness.StopAsync(0);
        }

        await EndAsync(harness);

        Assert.Equal(0, tries);
    }

    [Fact]
    public async Task PreStop_OverARestartOfTheAgent_IsBegunAnew()
    {
        await using var harness = new WorkerHarness();
        var (tries, hook) = (0, new TaskCompletionSource<ExecSyncResponse>());
        harness.Runtime.Exec = (_, _) =>
        {
            Interlocked.Increment(ref tries);
            return hook.Task;
        };
        await RunAsync(harness, With(preStop: Exec("drain")));

        await harness.StopAsync(1000);
        await UntilAsync(harness, "the hook", () => Volatile.Read(ref tries) == 1);
        await harness.RestartAsync();
        await UntilAsync(harness, "the hook again", () => Volatile.Read(ref tries) == 2);
        Assert.Empty(Stops(harness));
        hook.SetResult(_good);
        await EndAsync(harness);

        Assert.Single(Stops(harness));
    }

    [Fact]
    public async Task Stop_ThatIsShortenedDuringPreStop_KillsAtOnce()
    {
        await using var harness = new WorkerHarness();
        var begun = new TaskCompletionSource();
        harness.Runtime.OnTerminate = _ => null;
        harness.Runtime.Exec = (_, _) =>
        {
            begun.SetResult();
            return new TaskCompletionSource<ExecSyncResponse>().Task;
        };
        await RunAsync(harness, With(preStop: Exec("drain")));

        await harness.StopAsync(1000);
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        await harness.StopAsync(0);
        var ended = await EndAsync(harness);

        Assert.Equal(137, ended.ContainerStatuses![0].State!.Terminated!.ExitCode);
        Assert.Equal(0, Stops(harness)[0]);
    }

    [Fact]
    [PodField("spec.initContainers[].lifecycle")]
    public async Task PreStop_OfASidecar_BeginsWithTheEndOfThePod()
    {
        await using var harness = new WorkerHarness();
        var pod = WorkerHarness.Pod("Always", WorkerHarness.Container());
        var sidecar = With(preStop: Exec("drain"));
        (sidecar.Name, sidecar.RestartPolicy) = ("proxy", "Always");
        pod.Spec.InitContainers = [sidecar];
        var begun = new TaskCompletionSource();
        harness.Runtime.OnTerminate = name => name == "main" ? null : 0;
        harness.Runtime.Exec = (_, _) =>
        {
            begun.SetResult();
            return Task.FromResult(_good);
        };
        await harness.ApplyAsync(pod);
        await harness.UntilAsync("Running", status => status.ContainerStatuses![0].Ready);

        await harness.StopAsync(1000);
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        Assert.True(harness.Runtime.IsRunning("main"));
        harness.Runtime.Exit("main", 0);
        await EndAsync(harness);

        Assert.Equal(["stop main", "stop proxy"], harness.Runtime.CallList()
            .Where(call => call.StartsWith("stop ", StringComparison.Ordinal) && call != "stop sandbox").Select(call => string.Join(' ', call.Split(' ')[..2])));
    }

    [Fact]
    public async Task LivenessKill_OfAContainerWithHooks_RunsPreStopAndPostStartAgain()
    {
        await using var harness = new WorkerHarness();
        var commands = new ConcurrentQueue<string>();
        harness.Runtime.Exec = (_, command) =>
        {
            var isProbe = command[0] == "probe";
            if (!isProbe)
            {
                commands.Enqueue(command[0]);
            }

            return Task.FromResult(isProbe && harness.Runtime.Runs("main") == 1 ? _bad : _good);
        };
        var container = With(Exec("greet"), Exec("drain"));
        container.LivenessProbe = new Probe { Exec = new ExecAction { Command = ["probe"] }, FailureThreshold = 1, PeriodSeconds = 1 };
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));

        await harness.AdvanceUntilAsync("the second run", () => commands.Count == 3);

        Assert.Equal(["greet", "drain", "greet"], commands);
    }

    private static Container With(LifecycleHandler? postStart = null, LifecycleHandler? preStop = null)
    {
        var container = WorkerHarness.Container();
        container.Lifecycle = new Lifecycle { PostStart = postStart, PreStop = preStop };
        return container;
    }

    private static LifecycleHandler Exec(params string[] command) => new() { Exec = new ExecAction { Command = [.. command] } };

    private static async Task RunAsync(WorkerHarness harness, Container container)
    {
        await harness.ApplyAsync(WorkerHarness.Pod("OnFailure", container));
        await harness.UntilAsync("Running", status => status.ContainerStatuses![0].Ready);
    }

    /// <summary>The status as it is once something has happened that is no status.</summary>
    private static async Task<PodStatus> UntilAsync(WorkerHarness harness, string what, Func<bool> condition)
    {
        await harness.AdvanceUntilAsync(what, condition, TimeSpan.FromMilliseconds(1));
        return await harness.UntilAsync(what, _ => true);
    }

    private static Task<PodStatus> EndAsync(WorkerHarness harness) =>
        harness.UntilAsync("the end", status => status.Phase is "Failed" or "Succeeded");

    /// <summary>The grace in seconds of each stop that main was told of.</summary>
    private static List<int> Stops(WorkerHarness harness) =>
        [.. harness.Runtime.CallList().Where(call => call.StartsWith("stop main ", StringComparison.Ordinal))
            .Select(call => int.Parse(call.Split(' ')[^1].TrimEnd('s'), CultureInfo.InvariantCulture))];
}
