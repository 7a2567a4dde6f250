using Kip.Cells;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.Tests.Support;
using Kip.VirtualKubelet.Tests.Support;

namespace Kip.VirtualKubelet.Tests.Pods;

/// <summary>Cells that the cloud takes back, and cells that wait, as the owner of pods sees them.</summary>
[Collection(ClusterCollection.Name)]
public sealed class SpotAndStandbyTests(SharedControlPlane cluster)
{
    [ControlPlaneTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SpotNoticeOrAdvice_ToAPodOfADeployment_ItsReplacementRunsBeforeItHasEnded(bool isAdvice)
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, Slow());
        world.ReplacesAtRebalance = isAdvice;
        await using var host = await world.StartAsync();
        await world.Plane.ApplyAsync($$$"""
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, namespace: "{{{world.Name}}}" }
            spec:
              replicas: 1
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}, annotations: {pod.elotl.co/launch-type: "spot,on-demand"}}
                spec:
                  nodeSelector: {type: virtual-kubelet, test: "{{{world.Name}}}" }
                  tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
                  automountServiceAccountToken: false
                  terminationGracePeriodSeconds: 60
                  containers: [{name: main, image: busybox}]
            """);
        await world.KubectlAsync("rollout", "status", "deployment/web", "--timeout=60s");
        var first = Assert.Single(world.Alive);

        if (isAdvice)
        {
            world.Cloud.RecommendRebalance(first.Instance.Id);
        }
        else
        {
            world.Cloud.Reclaim(first.Instance.Id);
        }

        await NodeWorld.EventuallyAsync("the replacement to run", async () =>
            (await world.KubectlAsync("get", "pods", "-o", "jsonpath={range .items[?(@.status.phase==\"Running\")]}{.metadata.uid} {end}")).Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Any(uid => uid != first.PodUid));

        Assert.Contains(world.Alive, i => i.Instance.Id == first.Instance.Id); // it still has its grace period
        Assert.Empty(world.Cloud.Violations);
        var events = await world.KubectlAsync("get", "events", "-o", "jsonpath={range .items[*]}{.reason}: {.message}{\"\\n\"}{end}");
        Assert.Contains(
            isAdvice ? "RebalanceRecommended: the cloud advises to leave the instance: " : "SpotInterrupted: the cloud takes the cell back at ", events, StringComparison.Ordinal);
        Assert.Contains("deleted, for its controller to replace it now", events, StringComparison.Ordinal);
    }

    [ControlPlaneFact]
    public async Task SpotNotice_ToAPodOfNobody_FailsItWithTheReasonAndTheCondition()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("alone");
        await world.RunningAsync("alone");

        world.Cloud.Reclaim(Assert.Single(world.Alive).Instance.Id);

        var pod = await world.PodAsync("alone", "to fail", static p => p.Status?.Phase == PodPhase.Failed);
        Assert.Equal(CellRecord.SpotInterrupted, pod.Status!.Reason);
        Assert.Contains(pod.Status.Conditions!, static c => c is { Type: PodConditionType.DisruptionTarget, Status: "True" });
        Assert.Contains(pod.Status.Conditions!, static c => c is { Type: PodConditionType.Ready, Status: "False" });
        await world.NoInstancesAsync();
    }

    [ControlPlaneFact]
    public async Task StandbyCell_IsGivenToThePod_AndToldInAnEvent()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        world.StandbyCells = [new StandbyCells("sim.nano", 1)];
        await using var host = await world.StartAsync();
        await NodeWorld.EventuallyAsync("the standby cell to be ready", () => Task.FromResult(host.Cells.Standby.Any(static r => r.State == CellState.Ready)));
        var waiting = Assert.Single(host.Cells.Standby);

        await world.ApplyPodAsync("quick");
        var pod = await world.RunningAsync("quick");

        Assert.Equal(pod.Metadata.Uid, world.Cloud.Instances.Single(i => i.Instance.Id == waiting.InstanceId).PodUid);
        await NodeWorld.EventuallyAsync("the event", async () => (await world.KubectlAsync("get", "events", "-o", "jsonpath={.items[*].message}"))
            .Contains($"Gave the pod standby cell {waiting.Id}: sim.nano in ", StringComparison.Ordinal));
    }

    private static SimulatedCloudOptions Slow() => new()
    {
        CallTime = TimeSpan.Zero,
        Plan = static _ => NodeWorld.Instant,
        Script = static _ => new PodScript { Default = new ContainerScript { RunTime = null, StopTime = null } }, // until it is killed
    };
}
