using Kip.Agent.Tests.Support;
using Kip.Grpc;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Images that a cell brings while it waits for a pod, on a real containerd.</summary>
public sealed class ImageTests
{
    [ContainerdFact]
    public async Task PullImage_BeforeAnyPod_SucceedsIfItIsThereAndSaysWhyNotIfItCannotBeHad()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();

        await client.PullImage(TestImages.Busybox);

        var unreachable = await Assert.ThrowsAsync<RpcException>(() => client.PullImage("127.0.0.1:1/nothing:1"));
        Assert.Equal(StatusCode.FailedPrecondition, unreachable.StatusCode);
        Assert.Contains("127.0.0.1:1", unreachable.Status.Detail, StringComparison.Ordinal);
        var wrong = await Assert.ThrowsAsync<RpcException>(() => client.PullImage("UPPER"));
        Assert.Equal(StatusCode.FailedPrecondition, wrong.StatusCode);
        Assert.StartsWith("Failed to apply default image tag \"UPPER\"", wrong.Status.Detail, StringComparison.Ordinal);
        await client.Apply(world.Request(CellWorld.Pod("exit 0"))); // the cell is as good as before
    }
}
