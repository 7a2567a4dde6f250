using Kip.Agent.Tests.Support;
using Kip.Grpc;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

/// <summary>What the pod worker does about <c>activeDeadlineSeconds</c>.</summary>
public sealed class PodWorkerDeadlineTests
{
    private const string Message = "Pod was active on the node longer than the specified deadline";

    [Fact]
    [PodField("spec.activeDeadlineSeconds")]
    public async Task Deadline_ThatPasses_EndsThePodGracefullyAndFailsIt()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.OnTerminate = _ => 0;
        await harness.ApplyAsync(Pod(600, WorkerHarness.Container(), WorkerHarness.Container("other")));
        await harness.UntilAsync("Running", status => status.ContainerStatuses!.TrueForAll(container => container.Ready));

        harness.Time.Advance(TimeSpan.FromSeconds(500));
        await WorkerHarness.SettleAsync();
        Assert.True(harness.Runtime.IsRunning("main"));
        harness.Time.Advance(TimeSpan.FromSeconds(100));
        var ended = await EndAsync(harness);

        Assert.Equal(("Failed", "DeadlineExceeded", Message), (ended.Phase, ended.Reason, ended.Message));
        Assert.All(ended.ContainerStatuses!, container => Assert.Equal(0, container.State!.Terminated!.ExitCode));
        Assert.Contains("stop main 0 30s", harness.Runtime.CallList());
        Assert.Contains("stop other 0 30s", harness.Runtime.CallList());
        Assert.Single(harness.Events, each => each is { Type: "Normal", Reason: "DeadlineExceeded", Message: Message });
    }

    [Fact]
    public async Task Deadline_WithContainersThatNeverStart_FailsThePod()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.Pull = _ => new RpcException(StatusCode.Unknown, "no such image");
        await harness.ApplyAsync(Pod(60, new Container { Name = "main", Image = "registry.test/absent:1" }));
        await harness.UntilAsync("the failed pull", status => status.ContainerStatuses![0].State!.Waiting?.Reason == "ErrImagePull");

        harness.Time.Advance(TimeSpan.FromSeconds(61));

        Assert.Equal("DeadlineExceeded", (await EndAsync(harness)).Reason);
    }

    [Fact]
    public async Task Deadline_OverARestartOfTheAgent_CountsFromThePodsStart()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(Pod(60, WorkerHarness.Container()));
        var before = await harness.UntilAsync("Running", status => status.Phase == "Running");

        harness.Time.Advance(TimeSpan.FromSeconds(50));
        await harness.RestartAsync();
        await harness.UntilAsync("the adopted pod", status => status.Phase == "Running");
        harness.Time.Advance(TimeSpan.FromSeconds(11));
        var ended = await EndAsync(harness);

        Assert.Equal(("DeadlineExceeded", before.StartTime), (ended.Reason, ended.StartTime));
    }

    [Fact]
    public async Task Deadline_ThatAnUpdateShortens_HoldsAtOnce()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(Pod(3600, WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");
        harness.Time.Advance(TimeSpan.FromSeconds(50));

        await harness.ApplyAsync(Pod(40, WorkerHarness.Container()));

        Assert.Equal("DeadlineExceeded", (await EndAsync(harness)).Reason);
    }

    [Fact]
    public async Task Deadline_AfterThePodIsThrough_DoesNotFailIt()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(Pod(60, WorkerHarness.Container()));
        await harness.UntilAsync("Running", status => status.Phase == "Running");

        harness.Runtime.Exit("main", 0);
        harness.Time.Advance(TimeSpan.FromSeconds(61));
        var ended = await EndAsync(harness);

        Assert.Equal(("Succeeded", null), (ended.Phase, ended.Reason));
    }

    private static Pod Pod(long seconds, params Container[] containers)
    {
        var pod = WorkerHarness.Pod("OnFailure", containers);
        pod.Spec.ActiveDeadlineSeconds = seconds;
        return pod;
    }

    private static Task<PodStatus> EndAsync(WorkerHarness harness) =>
        harness.UntilAsync("the end", status => status.Phase is "Failed" or "Succeeded");
}
