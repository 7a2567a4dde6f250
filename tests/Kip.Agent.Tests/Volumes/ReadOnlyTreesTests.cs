using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Volumes;

public sealed class ReadOnlyTreesTests
{
    [ContainerdFact]
    [PodField("spec.containers[].volumeMounts[].recursiveReadOnly")]
    [PodField("status.containerStatuses[].volumeMounts")]
    public async Task Mount_WithMountsBelowIt_IsReadOnlyThroughout()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        await world.ShellAsync($"mkdir -p {world.Directory}/tree/below {world.Directory}/tree/part && mount -t tmpfs tmpfs {world.Directory}/tree/below && echo hello >{world.Directory}/tree/part/file");
        var pod = CellWorld.Pod("""
            exec 2>&1
            busybox touch /plain/x || true; busybox touch /plain/below/x && echo 'written below'
            busybox touch /whole/x || true; busybox touch /whole/below/y || true
            busybox touch /part/x || true; cat /part/file; cat /file; echo x >/file || true
            """);
        pod.Spec.Volumes = [new Volume { Name = "tree", HostPath = new() { Path = $"{world.Directory}/tree" } }];
        pod.Spec.Containers[0].VolumeMounts =
        [
            new() { Name = "tree", MountPath = "/plain", ReadOnly = true, RecursiveReadOnly = "Disabled" },
            new() { Name = "tree", MountPath = "/whole", ReadOnly = true, RecursiveReadOnly = "Enabled" },
            new() { Name = "tree", MountPath = "/part", SubPath = "part", ReadOnly = true, RecursiveReadOnly = "IfPossible" },
            new() { Name = "tree", MountPath = "/file", SubPath = "part/file", ReadOnly = true, RecursiveReadOnly = "Enabled" },
        ];

        var status = await world.RunAsync(client, pod);

        Assert.Equal(
            """
            touch: /plain/x: Read-only file system
            written below
            touch: /whole/x: Read-only file system
            touch: /whole/below/y: Read-only file system
            touch: /part/x: Read-only file system
            hello
            hello
            sh: can't create /file: Read-only file system

            """,
            await client.LogAsync());
        Assert.Equal(
            ["/plain Disabled", "/whole Enabled", "/part Enabled", "/file Enabled"],
            status.ContainerStatuses![0].VolumeMounts!.Select(mount => $"{mount.MountPath} {mount.RecursiveReadOnly}"));
        Assert.Equal("", await world.ShellAsync($"grep {world.Directory}/volumes /proc/mounts || true"));
        Assert.Equal("x", await world.ShellAsync($"ls {world.Directory}/tree/below"));
    }
}
