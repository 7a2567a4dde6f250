using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;

namespace Kip.Agent.Tests.Containerd;

public sealed class HostnameTests
{
    [ContainerdFact]
    [PodField("spec.subdomain", "spec.setHostnameAsFQDN")]
    public async Task Pod_WithASubdomain_KnowsItsFullName()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("cat /etc/hosts; echo I am $(hostname)");
        pod.Spec.Subdomain = "web";
        pod.Spec.SetHostnameAsFQDN = true;

        await client.Apply(world.Request(pod));
        await world.WaitForAsync(client, "the end of the pod", status => status.Phase == "Succeeded");

        var log = "";
        var request = new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = "main", TailLines = -1 };
        await foreach (var chunk in client.Logs(request, CancellationToken.None))
        {
            log += chunk.Data.ToStringUtf8();
        }

        Assert.Contains($"{world.PodAddress}\thello.web.default.svc.cluster.local\thello\n", log, StringComparison.Ordinal);
        Assert.Contains("I am hello.web.default.svc.cluster.local\n", log, StringComparison.Ordinal);
    }
}
