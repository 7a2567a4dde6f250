using Kip.Agent.Tests.Support;
using Kip.Grpc;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

/// <summary>What the pod worker does about resources that change while containers run; on a real containerd in ResourcesTests.</summary>
public sealed class PodWorkerResizeTests
{
    [Fact]
    public async Task Resize_ThatTheRuntimeRefuses_IsToldAndTriedAgain()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.UpdateFails = _ => new RpcException(StatusCode.Unknown, "device or resource busy");
        await harness.ApplyAsync(Pod("1"));
        await harness.UntilAsync("Running", status => status.Phase == "Running");

        await harness.ApplyAsync(Pod("2"));
        var refused = await harness.UntilAsync("the refusal", status => Condition(status, "PodResizeInProgress")?.Reason == "Error");
        Assert.Equal("device or resource busy", Condition(refused, "PodResizeInProgress")!.Message);
        Assert.Equal("1", $"{refused.ContainerStatuses![0].Resources!.Limits!["cpu"]}");
        harness.Runtime.UpdateFails = _ => null;
        var took = await harness.AdvanceUntilAsync("the second attempt", () => Updates(harness) == 2);

        Assert.InRange(took.TotalSeconds, 9, 11);
        var done = await harness.UntilAsync("the resize", status => Condition(status, "PodResizeInProgress") is null);
        Assert.Equal(("2", "2"), ($"{done.ContainerStatuses![0].Resources!.Limits!["cpu"]}", $"{done.ContainerStatuses[0].AllocatedResources!["cpu"]}"));
        Assert.Contains("update main 2048 200000 0", harness.Runtime.CallList());
        Assert.Contains(harness.Events, each => each is { Reason: "ResizeError", Message: "device or resource busy" });
        Assert.Contains(harness.Events, each => each is { Reason: "ResizeCompleted" });
    }

    [Fact]
    public async Task Resize_OfWhatHasNotStarted_IsWhatItStartsWith()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.Pull = _ => new RpcException(StatusCode.Unknown, "not yet");
        await harness.ApplyAsync(Pod("1", "registry.test/late:1"));
        await harness.UntilAsync("the failed pull", status => status.ContainerStatuses![0].State!.Waiting?.Reason == "ErrImagePull");

        await harness.ApplyAsync(Pod("2", "registry.test/late:1"));
        harness.Runtime.Pull = _ => null;
        await harness.AdvanceUntilAsync("the start", () => harness.Runtime.IsRunning("main"));

        Assert.Equal(200_000, harness.Runtime.Config("main").Linux.Resources.CpuQuota);
        Assert.Equal(0, Updates(harness));
    }

    [Fact]
    public async Task Messages_OfManyContainers_AreHeldToTwelveKibibytesInAll()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.StartFails = _ => new RpcException(StatusCode.Unknown, new string('x', 5000));
        var containers = Enumerable.Range(0, 6).Select(i => WorkerHarness.Container($"c{i}")).ToArray();

        await harness.ApplyAsync(WorkerHarness.Pod("Never", containers));
        var status = await harness.UntilAsync("the end", status => status.Phase == "Failed");

        Assert.All(status.ContainerStatuses!, each => Assert.Equal(2048, each.State!.Terminated!.Message!.Length));
    }

    private static int Updates(WorkerHarness harness) =>
        harness.Runtime.CallList().Count(call => call.StartsWith("update", StringComparison.Ordinal));

    private static PodCondition? Condition(PodStatus status, string type) => status.Conditions!.Find(each => each.Type == type);

    private static Pod Pod(string cpu, string image = "app:1")
    {
        var container = WorkerHarness.Container();
        container.Image = image;
        container.Resources = new ResourceRequirements { Limits = new() { ["cpu"] = Quantity.Parse(cpu) }, Requests = new() { ["cpu"] = Quantity.Parse(cpu) } };
        return WorkerHarness.Pod("Always", container);
    }
}
