using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.Tests.Support;
using Kip.VirtualKubelet.Tests.Support;

namespace Kip.VirtualKubelet.Tests.Pods;

/// <summary>Pods of a real API server on a simulated cloud.</summary>
[Collection(ClusterCollection.Name)]
public sealed class PodControllerTests(SharedControlPlane cluster)
{
    [ControlPlaneFact]
    [PodField("spec.nodeName")]
    public async Task Pod_BoundToTheNode_RunsOnACellOfItsOwn()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();

        await world.ApplyPodAsync("web");

        var pod = await world.RunningAsync("web");
        Assert.Equal(pod.Metadata.Uid, Assert.Single(world.Alive).PodUid);
        Assert.Equal("True", pod.Status!.Conditions!.Single(static c => c.Type == PodConditionType.Ready).Status);
        Assert.NotNull(pod.Status.PodIP);
    }

    [ControlPlaneFact]
    public async Task Deployment_ScaledUpAndDown_HasACellForEachPod()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();
        await world.Plane.ApplyAsync($$$"""
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, namespace: "{{{world.Name}}}" }
            spec:
              replicas: 3
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec:
                  nodeSelector: {type: virtual-kubelet, test: "{{{world.Name}}}" }
                  tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
                  automountServiceAccountToken: false
                  containers: [{name: main, image: busybox}]
            """);

        await world.KubectlAsync("rollout", "status", "deployment/web", "--timeout=60s");
        Assert.Equal(3, world.Alive.Count);

        await world.KubectlAsync("scale", "deployment/web", "--replicas=1");

        await NodeWorld.EventuallyAsync("two cells to end", () => Task.FromResult(world.Alive.Count == 1));
    }

    [ControlPlaneTheory]
    [InlineData(0, PodPhase.Succeeded)]
    [InlineData(7, PodPhase.Failed)]
    public async Task Pod_ThatEnds_TellsItsExitCodeAndLeavesNoCell(int exitCode, string phase)
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, new SimulatedCloudOptions
        {
            CallTime = TimeSpan.Zero,
            Plan = static _ => NodeWorld.Instant,
            Script = _ => PodScript.RunsFor(TimeSpan.FromMilliseconds(50), exitCode),
        });
        await using var host = await world.StartAsync();

        await world.ApplyPodAsync("job");

        var pod = await world.PodAsync("job", $"to be {phase}", p => p.Status?.Phase == phase);
        Assert.Equal(exitCode, pod.Status!.ContainerStatuses!.Single().State!.Terminated!.ExitCode);
        await world.NoInstancesAsync();
        Assert.Equal(phase, (await world.FindPodAsync("job"))!.Status!.Phase);
    }

    [ControlPlaneFact]
    public async Task Delete_RunningPod_IsGoneAsSoonAsItsContainersHaveEnded()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, new SimulatedCloudOptions
        {
            CallTime = TimeSpan.Zero,
            Plan = static _ => NodeWorld.Instant with { TerminationTime = TimeSpan.FromHours(1) }, // the pod does not wait for its cell
            Script = static _ => PodScript.Forever,
        });
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("web");
        await world.RunningAsync("web");

        await world.KubectlAsync("delete", "pod", "web", "--wait=false");

        await world.GoneAsync("web");
    }

    [ControlPlaneFact]
    public async Task Delete_ByForce_EndsTheCellToo()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("web");
        await world.RunningAsync("web");

        await world.KubectlAsync("delete", "pod", "web", "--force", "--grace-period=0");

        await world.NoInstancesAsync();
    }

    [ControlPlaneFact]
    public async Task Delete_PodWhoseCellStillBoots_IsGoneAtOnce()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, new SimulatedCloudOptions
        {
            CallTime = TimeSpan.Zero,
            Plan = static _ => InstancePlan.NeverBoots with { TerminationTime = TimeSpan.Zero },
        });
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("slow");
        await world.PodAsync("slow", "to say that it is being made", static p => p.Status?.ContainerStatuses?.Single().State?.Waiting?.Reason == "ContainerCreating");

        await world.KubectlAsync("delete", "pod", "slow", "--wait=false");

        await world.GoneAsync("slow");
        await world.NoInstancesAsync();
    }

    [ControlPlaneFact]
    public async Task Pod_MadeAgainUnderItsName_IsAnotherPodOnAnotherCell()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("web");
        var first = await world.RunningAsync("web");
        await world.KubectlAsync("delete", "pod", "web", "--force", "--grace-period=0");

        await world.ApplyPodAsync("web");

        var second = await world.PodAsync("web", "to run again", p => p.Metadata.Uid != first.Metadata.Uid && p.Status?.Phase == PodPhase.Running);
        await NodeWorld.EventuallyAsync("only the second cell to be left", () => Task.FromResult(world.Alive.Count == 1));
        Assert.Equal(second.Metadata.Uid, world.Alive.Single().PodUid);
    }

    [ControlPlaneFact]
    public async Task Host_Restarted_TakesUpItsCellsAndTouchesNoPod()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using (await world.StartAsync())
        {
            await world.ApplyPodAsync("web");
            await world.RunningAsync("web");
        }

        var before = await world.FindPodAsync("web");
        var instance = world.Alive.Single().Instance.Id;
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("other"); // once this runs, the host has looked at all pods
        await world.RunningAsync("other");

        var after = await world.FindPodAsync("web");
        Assert.Equal(before!.Metadata.Uid, after!.Metadata.Uid);
        Assert.Equal(PodPhase.Running, after.Status!.Phase);
        Assert.Contains(world.Alive, i => i.Instance.Id == instance);
        Assert.Equal(2, world.Cloud.Instances.Count);
    }

    [ControlPlaneFact]
    public async Task Host_KilledAtEachStepOfAPodsLife_LeavesOneCellAndThenNone()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, new SimulatedCloudOptions
        {
            CallTime = TimeSpan.Zero,
            ListInterval = TimeSpan.FromMilliseconds(20),
            Plan = static _ => NodeWorld.Instant,
            Script = static _ => PodScript.Forever,
        });
        List<string> killed = [];
        while (await RunAndKillAsync(world, killed.Count + 1) is { } step)
        {
            killed.Add(step);
            await using var next = await world.StartAsync();
            await LiveAsync(world, next, $"p{killed.Count}", NeverKilled);
        }

        Assert.Empty(world.Cloud.Violations);
        Assert.True(killed.Count >= 16, $"a pod's life had {killed.Count} steps: {string.Join(", ", killed)}");
    }

    private static Task NeverKilled { get; } = new TaskCompletionSource().Task;

    /// <summary>The step at which the host was killed; null when its pod's life was over before.</summary>
    private static async Task<string?> RunAndKillAsync(NodeWorld world, int step)
    {
        await using var kill = new KillSwitch(step);
        var host = await world.StartAsync(kill: kill);
        await world.ApplyPodAsync($"p{step}");
        await LiveAsync(world, host, $"p{step}", kill.Killed);

        // What is left of a dead host hangs in its calls until they are let go.
        await kill.DisposeAsync();
        await host.DisposeAsync();
        return kill.Killed.IsCompletedSuccessfully ? await kill.Killed : null;
    }

    /// <summary>Sees a pod run on its one cell, deletes it, and sees pod, cell and record go; ends early when the host is killed.</summary>
    private static async Task LiveAsync(NodeWorld world, NodeProcess host, string name, Task killed)
    {
        var deleted = false;
        await NodeWorld.EventuallyAsync($"{name} to have run on one cell and to be gone", async () =>
        {
            if (killed.IsCompleted)
            {
                return true;
            }

            var pod = await world.FindPodAsync(name);
            deleted |= pod?.Metadata.DeletionTimestamp is not null;
            Assert.True(deleted || pod?.Status?.Phase is not PodPhase.Failed, $"{name} has failed: {pod?.Status?.Message}");
            Assert.InRange(world.Alive.Count, 0, 1);
            if (!deleted && pod?.Status?.Phase == PodPhase.Running)
            {
                Assert.Single(world.Alive);
                await world.KubectlAsync("delete", "pod", name, "--wait=false");
                deleted = true;
            }

            return pod is null && world.Alive.Count == 0 && host.Cells.Cells.Count == 0;
        });
    }

    [ControlPlaneFact]
    public async Task Pod_DeletedWhileTheHostWasAway_LosesItsCell()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using (await world.StartAsync())
        {
            await world.ApplyPodAsync("forced");
            await world.ApplyPodAsync("asked");
            await world.RunningAsync("forced");
            await world.RunningAsync("asked");
        }

        await world.KubectlAsync("delete", "pod", "forced", "--force", "--grace-period=0");
        await world.KubectlAsync("delete", "pod", "asked", "--wait=false");
        Assert.Equal(2, world.Alive.Count);
        await using var host = await world.StartAsync();

        await world.GoneAsync("asked");
        await world.NoInstancesAsync();
    }

    [ControlPlaneFact]
    public async Task Pod_ThatEndedWhileTheHostWasAway_IsToldOf()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane, new SimulatedCloudOptions
        {
            CallTime = TimeSpan.Zero,
            Plan = static _ => NodeWorld.Instant,
            Script = static _ => PodScript.RunsFor(TimeSpan.FromSeconds(3), 5),
        });
        await using (await world.StartAsync())
        {
            await world.ApplyPodAsync("job");
            await world.RunningAsync("job");
        }

        await using var host = await world.StartAsync();

        var pod = await world.PodAsync("job", "to have failed", static p => p.Status?.Phase == PodPhase.Failed);
        Assert.Equal(5, pod.Status!.ContainerStatuses!.Single().State!.Terminated!.ExitCode);
    }

    [ControlPlaneFact]
    public async Task Cell_Lost_FailsThePodWithTheReason()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("web");
        await world.RunningAsync("web");

        world.Cloud.Kill(world.Alive.Single().Instance.Id);

        var pod = await world.PodAsync("web", "to have failed", static p => p.Status?.Phase == PodPhase.Failed);
        Assert.Equal("CellLost", pod.Status!.Reason);
        Assert.Contains("the machine failed", pod.Status.Message, StringComparison.Ordinal);
        Assert.All(pod.Status.Conditions!.Where(static c => c.Type is "Ready" or "ContainersReady"), static c => Assert.Equal("False", c.Status));
    }

    [ControlPlaneFact]
    public async Task Pod_RunningWithoutARecordOfItsCell_IsNotRunASecondTime()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await world.ApplyPodAsync("web");
        await world.KubectlAsync("get", "pod", "web");
        await world.Plane.KubectlAsync("get", "--raw", $"/api/v1/namespaces/{world.Name}/pods/web");
        var pod = (await world.FindPodAsync("web"))!;
        pod.Status = new PodStatus { Phase = PodPhase.Running };
        await world.Client.ReplaceAsync(Kubernetes.Client.Resources.Pods, pod, "status", default);

        await using var host = await world.StartAsync();

        var failed = await world.PodAsync("web", "to have failed", static p => p.Status?.Phase == PodPhase.Failed);
        Assert.Equal("CellLost", failed.Status!.Reason);
        Assert.Empty(world.Cloud.Instances);
    }

    [ControlPlaneFact]
    [PodField("spec.readinessGates")]
    public async Task Pod_WithReadinessGate_IsReadyWhileItsConditionIsTrue()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();

        await world.ApplyPodAsync("web", world.PodSpec(", readinessGates: [{conditionType: example.com/gate}]"));

        var pod = await world.PodAsync("web", "to wait for its gate", static p => p.Status?.Phase == PodPhase.Running && Ready(p).Reason == "ReadinessGatesNotReady");
        Assert.Equal("corresponding condition of pod readiness gate \"example.com/gate\" does not exist.", Ready(pod).Message);
        await SetGateAsync("True");
        await world.PodAsync("web", "to be ready", static p => Ready(p).Status == "True");
        await SetGateAsync("False");
        pod = await world.PodAsync("web", "not to be ready", static p => Ready(p).Status == "False");
        Assert.Equal("the status of pod readiness gate \"example.com/gate\" is not \"True\", but False", Ready(pod).Message);
        Assert.Equal("False", pod.Status!.Conditions!.Single(static c => c.Type == "example.com/gate").Status);

        Task SetGateAsync(string status) => world.Client.PatchAsync(
            Kubernetes.Client.Resources.Pods,
            new ObjectKey(world.Name, "web"),
            Kubernetes.Client.Patch.StrategicMerge(System.Text.Encoding.UTF8.GetBytes(
                $$$"""{"status":{"conditions":[{"type":"example.com/gate","status":"{{{status}}}"}]}}""")),
            "status",
            default);

        static PodCondition Ready(Pod pod) => pod.Status!.Conditions!.Single(static c => c.Type == PodConditionType.Ready);
    }

    [ControlPlaneFact]
    public async Task Pod_ThatFitsNoInstance_WaitsAndSaysWhy()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();

        await world.ApplyPodAsync(
            "huge", $"{{nodeName: {world.Name}, automountServiceAccountToken: false, containers: [{{name: main, image: busybox, resources: {{requests: {{cpu: 1k}}}}}}]}}");

        var pod = await world.PodAsync("huge", "to say why it waits", static p => p.Status?.ContainerStatuses?.Single().State?.Waiting?.Reason == "NoInstanceType");
        Assert.Equal(PodPhase.Pending, pod.Status!.Phase);
        await NodeWorld.EventuallyAsync("an event", async () => (await world.KubectlAsync("get", "events")).Contains("NoInstanceType", StringComparison.Ordinal));
    }

    [ControlPlaneFact]
    public async Task ApiServer_Killed_PodsRunOnAndWhatHappenedIsToldLater()
    {
        await using var world = await NodeWorld.CreateAsync(cluster.Plane);
        await using var host = await world.StartAsync();
        await world.ApplyPodAsync("web");
        await world.ApplyPodAsync("victim");
        await world.RunningAsync("web");
        var victim = await world.RunningAsync("victim");

        await world.Plane.KillAsync(ControlPlane.ApiServer);
        world.Cloud.Kill(world.Alive.Single(i => i.PodUid == victim.Metadata.Uid).Instance.Id);
        await world.Plane.StartAsync(ControlPlane.ApiServer);

        await world.PodAsync("victim", "to have failed", static p => p.Status?.Phase == PodPhase.Failed);
        Assert.Equal(PodPhase.Running, (await world.FindPodAsync("web"))!.Status!.Phase);
        await world.ApplyPodAsync("later");
        await world.RunningAsync("later");
    }
}
