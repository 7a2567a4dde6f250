using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.Tests.Support;
using Kip.VirtualKubelet.Tests.Support;
using Xunit.Abstractions;

namespace Kip.VirtualKubelet.Tests;

/// <summary>A node whose API server or clock is in trouble.</summary>
[Collection(ClusterCollection.Name)]
public sealed class VirtualNodeTests(SharedControlPlane cluster, ITestOutputHelper output)
{
    [ControlPlaneFact]
    public async Task ApiServer_GoneForLongerThanLeaseAndWatchesLast_NodeAndPodsAreUntouched()
    {
        var time = new TestTime(speed: 20);
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, time: time);
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("web");
        await world.ApplyPodAsync("victim");
        var web = await world.RunningAsync("web");
        var victim = await world.RunningAsync("victim");
        var node = await NodeAsync(world);

        await world.Plane.KillAsync(ControlPlane.ApiServer);
        var since = time.Elapsed;
        world.Cloud.Kill(world.Alive.Single(i => i.PodUid == victim.Metadata.Uid).Instance.Id);
        await NodeWorld.EventuallyAsync("five minutes without an API server", () => Task.FromResult(time.Elapsed - since > TimeSpan.FromMinutes(5)));
        await world.Plane.StartAsync(ControlPlane.ApiServer);

        await world.PodAsync("victim", "to have failed", static p => p.Status?.Phase == PodPhase.Failed);
        await world.ApplyPodAsync("later");
        await world.RunningAsync("later");
        var after = (await world.FindPodAsync("web"))!;
        Assert.Equal(web.Metadata.Uid, after.Metadata.Uid);
        Assert.Equal(PodPhase.Running, after.Status!.Phase);
        Assert.Equal(web.Status!.ContainerStatuses!.Single().ContainerID, after.Status.ContainerStatuses!.Single().ContainerID);
        Assert.Equal(node.Metadata.Uid, (await NodeAsync(world)).Metadata.Uid);
        Assert.Equal(3, world.Cloud.Instances.Count);
        Assert.False(host.HasEnded);
        await NodeWorld.EventuallyAsync("the node to be ready", async () => IsReady(await NodeAsync(world)));
    }

    [ControlPlaneFact]
    public async Task ApiServer_SlowAndFailing_EachPodHasOneCellAndThenNone()
    {
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        var troubles = new Troubles(seed);
        await using var host = await world.StartAsync(troubles: troubles);
        var names = Enumerable.Range(1, 10).Select(static n => $"p{n}").ToList();

        foreach (var name in names)
        {
            await world.ApplyPodAsync(name);
        }

        foreach (var name in names)
        {
            await world.RunningAsync(name);
        }

        Assert.Equal(names.Count, world.Alive.Count);
        Assert.Equal(names.Count, world.Cloud.Instances.Count);
        await world.KubectlAsync("delete", "pods", "--all", "--wait=false");
        foreach (var name in names)
        {
            await world.GoneAsync(name);
        }

        await world.NoInstancesAsync();
        Assert.InRange(troubles.Failures, 10, int.MaxValue);
        Assert.Equal(names.Count, world.Cloud.Instances.Count);
        Assert.Empty(world.Cloud.Violations);
        Assert.False(host.HasEnded);
        troubles.IsOn = false; // its end should not take longer than needed
    }

    [ControlPlaneTheory]
    [InlineData(3)]
    [InlineData(-3)]
    public async Task Clock_Set_NodeAndPodsAreUntouched(int hours)
    {
        var time = new TestTime();
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, time: time);
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("web");
        var before = await world.RunningAsync("web");
        var lease = await LeaseAsync(world);

        time.Set(TimeSpan.FromHours(hours));

        await world.ApplyPodAsync("later");
        await world.RunningAsync("later");
        await NodeWorld.EventuallyAsync("a renewal of the lease", async () => (await LeaseAsync(world)).Spec.RenewTime > lease.Spec.RenewTime);
        var after = (await world.FindPodAsync("web"))!;
        Assert.Equal(before.Metadata.Uid, after.Metadata.Uid);
        Assert.Equal(PodPhase.Running, after.Status!.Phase);
        Assert.Equal(2, world.Alive.Count);
        Assert.Equal(2, world.Cloud.Instances.Count);
        await world.KubectlAsync("delete", "pods", "--all", "--wait=false");
        await world.NoInstancesAsync();
        Assert.False(host.HasEnded);
    }

    private static Task<Node> NodeAsync(NodeWorld world) => world.Client.GetAsync(Resources.Nodes, new ObjectKey(world.Name), default);

    private static Task<Lease> LeaseAsync(NodeWorld world) => world.Client.GetAsync(Resources.Leases, new ObjectKey("kube-node-lease", world.Name), default);

    private static bool IsReady(Node node) => node.Status!.Conditions!.Single(static c => c.Type == "Ready").Status == "True";
}
