using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;
using Kip.VirtualKubelet.Tests.Support;

namespace Kip.VirtualKubelet.Tests.Nodes;

[Collection(ClusterCollection.Name)]
public sealed class NodeControllerTests(SharedControlPlane cluster)
{
    [ControlPlaneFact]
    public async Task Node_OfARunningHost_IsReadyAndHasALease()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();

        Assert.Matches(@"\sReady\s", await world.KubectlAsync("get", "node", world.Name));
        var node = await NodeAsync(world);
        Assert.Equal("virtual-kubelet", node.Metadata.Labels!["type"]);
        Assert.Equal("virtual-kubelet.io/provider", node.Spec.Taints!.Single(static t => t.Effect == "NoSchedule" && t.Value == "kip").Key);
        Assert.Equal("20", node.Status!.Capacity!["pods"].ToString());
        await NodeWorld.EventuallyAsync("the node's lease", async () =>
            (await world.Plane.TryKubectlAsync(null, "get", "lease", world.Name, "-n", "kube-node-lease")).ExitCode == 0);
    }

    [ControlPlaneFact]
    public async Task Node_Deleted_IsMadeAgain()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();
        var first = (await NodeAsync(world)).Metadata.Uid;

        await world.KubectlAsync("delete", "node", world.Name);

        await NodeWorld.EventuallyAsync("the node to be back", async () =>
            (await world.Plane.TryKubectlAsync(null, "get", "node", world.Name, "-o", "jsonpath={.metadata.uid}")) is { ExitCode: 0, Output: var uid } && uid != first);
    }

    [ControlPlaneFact]
    public async Task Node_OfAHostThatWasShutDown_SaysSoAndStaysReady()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using (await world.StartAsync())
        {
            await world.KubectlAsync("cordon", world.Name);
            await world.KubectlAsync("label", "node", world.Name, "theirs=stays");
        }

        var node = await NodeAsync(world);
        Assert.Equal("HostShutDown", Condition(node, "kip.elotl.co/HostRunning").Reason);
        Assert.Equal("True", Condition(node, "Ready").Status);

        await using var host = await world.StartAsync();

        node = await NodeAsync(world);
        Assert.Equal("True", Condition(node, "kip.elotl.co/HostRunning").Status);
        Assert.True(node.Spec.Unschedulable);
        Assert.Equal("stays", node.Metadata.Labels!["theirs"]);
    }

    [ControlPlaneFact]
    public async Task Node_ThatAnotherHostLooksAfter_IsTakenWhenThatOneEnds()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var first = await world.StartAsync();

        var second = world.StartAsync("another");
        await world.ApplyPodAsync("web");
        await world.RunningAsync("web");
        Assert.False(second.IsCompleted);
        await first.DisposeAsync();

        await using var host = await second;
        var holder = await world.Plane.KubectlAsync("get", "lease", world.Name, "-n", "kube-node-lease", "-o", "jsonpath={.spec.holderIdentity}");
        Assert.Equal("another", holder);
        Assert.Single(world.Alive);
    }

    private static Task<Node> NodeAsync(NodeWorld world) => world.Client.GetAsync(Resources.Nodes, new ObjectKey(world.Name), default);

    private static NodeCondition Condition(Node node, string type) => node.Status!.Conditions!.Single(c => c.Type == type);
}
