using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Security settings as processes on a real containerd have them.</summary>
public sealed class SecurityTests
{
    private const string Rights = "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status";

    [ContainerdFact]
    [PodField("spec.containers[].securityContext.seccompProfile.localhostProfile")]
    [PodField("spec.containers[].securityContext.procMount")]
    public async Task SecurityContext_OfEachContainer_IsWhatItsProcessesHave()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        Directory.CreateDirectory(Path.Combine(world.Directory, "seccomp", "mine"));
        await File.WriteAllTextAsync(
            Path.Combine(world.Directory, "seccomp", "mine", "no-mkdir.json"),
            """{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}""");
        var pod = CellWorld.Pod("");
        pod.Spec.SecurityContext = new PodSecurityContext { RunAsUser = 1000, RunAsGroup = 2000, SupplementalGroups = [3000], FsGroup = 4000 };
        pod.Spec.Volumes = [new Volume { Name = "disk", EmptyDir = new() }];
        const string masked = "grep -cE ' /proc/(keys|sys) ' /proc/mounts";
        pod.Spec.Containers =
        [
            Container("restricted", $"id; {Rights}; busybox touch /x; busybox touch /disk/x && busybox stat -c %g /disk/x; {masked}", new SecurityContext
            {
                AllowPrivilegeEscalation = false,
                ReadOnlyRootFilesystem = true,
                RunAsNonRoot = true,
                Capabilities = new Capabilities { Add = ["NET_ADMIN"], Drop = ["ALL"] },
                SeccompProfile = new SeccompProfile { Type = "RuntimeDefault" },
            }),
            Container("privileged", $"{Rights}; {masked}", new SecurityContext { Privileged = true, RunAsUser = 0 }),
            Container("localhost", "busybox mkdir /tmp/x || true", new SecurityContext { SeccompProfile = new SeccompProfile { Type = "Localhost", LocalhostProfile = "mine/no-mkdir.json" } }),
            Container("unmasked", $"{masked}; true", new SecurityContext { ProcMount = "Unmasked" }),
            Container("missing", "true", new SecurityContext { SeccompProfile = new SeccompProfile { Type = "Localhost", LocalhostProfile = "none.json" } }),
        ];

        await client.Apply(world.Request(pod));
        var status = await world.WaitForAsync(client, "all that can run to have run", status =>
            status.ContainerStatuses!.TrueForAll(each => each.Name == "missing" ? each.State?.Waiting?.Message is not null : each.State?.Terminated is not null));

        Assert.Equal(
            """
            uid=1000 gid=2000 groups=2000,3000,4000
            CapBnd:	0000000000001000
            NoNewPrivs:	1
            Seccomp:	2
            touch: /x: Read-only file system
            4000
            2

            """,
            await client.LogAsync("restricted"));
        var all = await world.ShellAsync("grep CapBnd /proc/self/status");
        Assert.Equal($"{all}\nNoNewPrivs:\t0\nSeccomp:\t0\n0\n", await client.LogAsync("privileged"));
        Assert.Equal("mkdir: can't create directory '/tmp/x': Operation not permitted\n", await client.LogAsync("localhost"));
        Assert.Equal("0\n", await client.LogAsync("unmasked"));
        var waiting = status.ContainerStatuses!.Single(each => each.Name == "missing").State!.Waiting!;
        Assert.Equal("CreateContainerError", waiting.Reason);
        Assert.Contains("none.json: no such file or directory", waiting.Message, StringComparison.Ordinal);
        await client.Stop(CellWorld.PodUid, 0);
        await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");
    }

    [ContainerdFact]
    public async Task AppArmor_WhereTheKernelHasNone_IsRefusedInTheKubeletsWords()
    {
        const string kernel = "/sys/module/apparmor/parameters/enabled";
        var expected = File.Exists(kernel) && await File.ReadAllTextAsync(kernel) == "Y\n"
            ? null
            : "Cannot enforce AppArmor: AppArmor is not enabled on the host";
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("true");
        pod.Spec.SecurityContext = new PodSecurityContext { AppArmorProfile = new AppArmorProfile { Type = "RuntimeDefault" } };

        var error = await Record.ExceptionAsync(() => client.Apply(world.Request(pod)));

        Assert.Equal(expected, (error as Kip.Grpc.RpcException)?.Status.Detail);
    }

    private static Container Container(string name, string script, SecurityContext security) => new()
    {
        Name = name,
        Image = TestImages.Busybox,
        Command = ["sh", "-c", $"exec 2>&1; {script}"],
        SecurityContext = security,
        VolumeMounts = [new VolumeMount { Name = "disk", MountPath = "/disk" }],
    };
}
