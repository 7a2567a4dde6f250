using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Volumes;

/// <summary>Disks as containers on a real containerd see them.</summary>
public sealed class PersistentVolumesTests
{
    [ContainerdFact]
    [PodField("spec.volumes[].persistentVolumeClaim")]
    public async Task Disk_IsMountedForThePodsGroup_SurvivesTheAgent_AndIsCleanAfterwards()
    {
        using var disk = new LoopDisk();
        await using var world = await CellWorld.StartAsync();
        var pod = Pod("echo written >/v/file; echo below >/sub/file; echo up; until [ -e /v/end ]; do sleep 0.05; done");
        pod.Spec.SecurityContext = new PodSecurityContext { RunAsUser = 1000, FsGroup = 2000 };
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "v", MountPath = "/v" }, new() { Name = "v", MountPath = "/sub", SubPath = "a/b" }];
        using (var client = world.Connect())
        {
            await client.Apply(Request(world, pod, Disk(disk)));
            await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);
        }

        await world.KillAgentAsync();
        await world.StartAgentAsync();
        using var again = world.Connect();
        await world.WaitForAsync(again, "the adopted pod", status => status.ContainerStatuses![0].Ready);
        await world.ShellAsync($"touch {world.Directory}/volumes/{CellWorld.PodUid}/volumes/v/end");
        await EndAsync(world, again);

        Assert.Equal("", await world.ShellAsync($"grep {world.Directory}/volumes/ /proc/self/mountinfo"));
        Assert.Contains("Filesystem state:         clean", LoopDisk.Run("dumpe2fs", "-h", disk.Device), StringComparison.Ordinal);
        LoopDisk.Run("e2fsck", "-f", "-n", disk.Device);
        Assert.Equal("written\n", LoopDisk.Run("debugfs", "-R", "cat /file", disk.Device));
        Assert.Contains("User:  1000   Group:  2000", LoopDisk.Run("debugfs", "-R", "stat /a/b/file", disk.Device), StringComparison.Ordinal);
    }

    [ContainerdFact]
    [PodField("spec.containers[].volumeDevices")]
    public async Task Disk_AsDevice_IsTheContainers()
    {
        using var disk = new LoopDisk();
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = Pod("printf raw | busybox dd of=/dev/data bs=3 count=1 conv=notrunc 2>/dev/null && [ -b /dev/data ]");
        pod.Spec.Containers[0].VolumeDevices = [new VolumeDevice { Name = "v", DevicePath = "/dev/data" }];
        var mount = Disk(disk);
        mount.Block = true;

        await client.Apply(Request(world, pod, mount));

        Assert.Equal("Succeeded", (await EndAsync(world, client)).Phase);
        await using var image = File.OpenRead(disk.Device);
        var start = new byte[3];
        await image.ReadExactlyAsync(start);
        Assert.Equal("raw"u8.ToArray(), start);
    }

    [ContainerdFact]
    public async Task Disk_ThatComesLate_IsWaitedFor()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = Pod("true");
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "v", MountPath = "/v" }];
        var link = $"/dev/kip-test-{Guid.NewGuid():N}";
        await client.Apply(Request(world, pod, new PersistentVolumeMount { Name = "v", Device = new DeviceLocation { Paths = { link } } }));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        await foreach (var update in client.Watch(patience.Token))
        {
            if (update.Event is { Reason: "FailedMount" } failed)
            {
                Assert.Equal($"MountVolume.SetUp failed for volume \"v\" : its device has not shown up yet ({link})", failed.Message);
                break;
            }
        }

        using var disk = new LoopDisk();
        File.CreateSymbolicLink(link, disk.Device);
        try
        {
            Assert.Equal("Succeeded", (await EndAsync(world, client)).Phase);
        }
        finally
        {
            File.Delete(link);
        }
    }

    [ContainerdFact]
    public async Task Claim_OfWhichNothingIsKnown_OrThatIsDangerous_IsRefused()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = Pod("true");

        Assert.Contains("only a cluster knows", await RefusedAsync(), StringComparison.Ordinal);
        Assert.Contains("is not below /dev", await RefusedAsync(new PersistentVolumeMount { Name = "v", Device = new DeviceLocation { Paths = { "/etc/passwd" } } }), StringComparison.Ordinal);
        Assert.Contains(
            "is no name of a file system",
            await RefusedAsync(new PersistentVolumeMount { Name = "v", FsType = "../x", Device = new DeviceLocation { Serial = "s" } }),
            StringComparison.Ordinal);

        async Task<string> RefusedAsync(params PersistentVolumeMount[] mounts)
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => client.Apply(Request(world, pod, mounts)));
            Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
            return error.Message;
        }
    }

    private static Pod Pod(string script)
    {
        var pod = CellWorld.Pod(script);
        pod.Spec.Volumes = [new Volume { Name = "v", PersistentVolumeClaim = new PersistentVolumeClaimVolumeSource { ClaimName = "data" } }];
        return pod;
    }

    private static PersistentVolumeMount Disk(LoopDisk disk) => new() { Name = "v", Device = new DeviceLocation { Paths = { disk.Device } } };

    private static ApplyPodRequest Request(CellWorld world, Pod pod, params PersistentVolumeMount[] mounts)
    {
        var request = world.Request(pod);
        request.PersistentVolumes.Add(mounts);
        return request;
    }

    private static Task<PodStatus> EndAsync(CellWorld world, AgentClient client) =>
        world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");
}
