using System.Text;
using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Pods that run to their end on a real containerd.</summary>
public sealed class HelloTests
{
    [ContainerdFact]
    public async Task Pod_ThatPrints_SucceedsAndItsLogIsThere()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();

        await client.Apply(world.Request(CellWorld.Pod("echo hello; echo oops >&2; printf end")));
        var status = await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");

        Assert.Equal("Succeeded", status.Phase);
        Assert.Equal(world.PodAddress, status.PodIP);
        var terminated = Assert.Single(status.ContainerStatuses!).State!.Terminated!;
        Assert.Equal((0, "Completed"), (terminated.ExitCode, terminated.Reason));
        Assert.Equal(["1:hello\n", "1:end", "2:oops\n"], (await ReadAsync(client)).Order());
    }

    [ContainerdFact]
    public async Task Pod_ThatExits3_FailsWithThat()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();

        await client.Apply(world.Request(CellWorld.Pod("exit 3")));
        var status = await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");

        var terminated = Assert.Single(status.ContainerStatuses!).State!.Terminated!;
        Assert.Equal(("Failed", 3, "Error"), (status.Phase, terminated.ExitCode, terminated.Reason));
    }

    private static async Task<List<string>> ReadAsync(AgentClient client)
    {
        var lines = new List<string>();
        var request = new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = "main", TailLines = -1 };
        await foreach (var chunk in client.Logs(request, CancellationToken.None))
        {
            lines.Add($"{chunk.Stream}:{Encoding.UTF8.GetString(chunk.Data.Span)}");
        }

        return lines;
    }
}
