using Kip.Agent.Tests.Support;
using Kip.Agents;

namespace Kip.Agent.Tests.Sessions;

/// <summary>Sessions with a pod that ends.</summary>
public sealed class PodEndTests
{
    [ContainerdFact]
    public async Task Session_WhenThePodIsStopped_Ends_AndThereIsNoOther()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        await client.Apply(world.Request(CellWorld.Pod("sleep 100000")));
        await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);
        await using var agent = await world.ConnectControllerAsync();
        var request = new ExecRequest { Container = "main", Command = ["sh", "-c", "echo up; sleep 100000"], Stdin = true };
        await using var session = await agent.ExecAsync(CellWorld.PodUid, request, CancellationToken.None);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        await using var output = session.ReadOutputAsync(patience.Token).GetAsyncEnumerator();
        await RunningPod.ReadUntilAsync(output, "up\n");

        await agent.StopPodAsync(CellWorld.PodUid, TimeSpan.Zero, CancellationToken.None);

        Assert.False(await output.MoveNextAsync());
        Assert.Equal(137, await session.ExitCode);
        await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Failed" or "Succeeded");
        var e = await Assert.ThrowsAsync<AgentException>(() => agent.ExecAsync(CellWorld.PodUid, request, CancellationToken.None));
        Assert.Equal(AgentErrorKind.NotFound, e.Kind);
        e = await Assert.ThrowsAsync<AgentException>(() => agent.ForwardPortAsync(CellWorld.PodUid, 80, CancellationToken.None));
        Assert.Equal(AgentErrorKind.NotFound, e.Kind);
    }
}
