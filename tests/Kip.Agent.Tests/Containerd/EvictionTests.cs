using Kip.Agent.Tests.Support;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Pods that fill the disk of a real containerd beyond their limits.</summary>
public sealed class EvictionTests
{
    [ContainerdTheory]
    [InlineData("/data/file", "Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\". ")]
    [InlineData("/file", "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ")]
    [PodField("spec.volumes[].emptyDir.sizeLimit", "spec.containers[].resources.limits", "status.reason", "status.message")]
    public async Task Pod_ThatWritesBeyondItsLimit_IsEvicted(string file, string message)
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod($"head -c 3000000 /dev/zero > {file}; while true; do sleep 0.05; done");
        pod.Spec.Volumes = [new Volume { Name = "data", EmptyDir = new EmptyDirVolumeSource { SizeLimit = Quantity.Parse("1Mi") } }];
        pod.Spec.Containers[0].VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }];
        pod.Spec.Containers[0].Resources = new ResourceRequirements { Limits = new Dictionary<string, Quantity> { ["ephemeral-storage"] = Quantity.Parse("1Mi") } };

        await client.Apply(world.Request(pod));
        var ended = await world.WaitForAsync(client, "the end of the pod", static status => status.Phase is "Succeeded" or "Failed");

        Assert.Equal(("Failed", "Evicted", message), (ended.Phase, ended.Reason, ended.Message));
    }
}
