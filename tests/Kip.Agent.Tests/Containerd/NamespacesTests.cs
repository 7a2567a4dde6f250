using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>What a pod shares with its cell and its containers with each other, and how it is named, on a real containerd.</summary>
public sealed class NamespacesTests
{
    private static readonly List<HostAlias> _aliases = [new HostAlias { Ip = "192.0.2.7", Hostnames = ["seven", "seven.test"] }];

    [ContainerdFact]
    public async Task Host_OfAPod_IsItsCell()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        const string namespaces = "for n in net pid ipc uts; do busybox readlink /proc/self/ns/$n; done";
        var pod = CellWorld.Pod($"{namespaces}; grep -h seven /etc/hosts; grep -c localhost /etc/hosts");
        (pod.Spec.HostNetwork, pod.Spec.HostPID, pod.Spec.HostIPC, pod.Spec.HostAliases) = (true, true, true, _aliases);

        var status = await world.RunAsync(client, pod);

        var cell = await world.ShellAsync(namespaces);
        var own = await world.ShellAsync("grep -c localhost /etc/hosts");
        Assert.Equal($"{cell}\n192.0.2.7\tseven\tseven.test\n{own}\n", await client.LogAsync());
        Assert.Equal((status.HostIP, status.HostIP), (status.PodIP, status.PodIPs![0].Ip));
    }

    [ContainerdFact]
    [PodField("spec.hostnameOverride")]
    public async Task Pod_WithSettingsOfItsOwn_HasThem()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("""
            pwd; hostname; tail -n 2 /etc/hosts; cat /etc/resolv.conf
            cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/core/somaxconn
            until cat /proc/[0-9]*/cmdline | grep -q 54321; do sleep 0.05; done; echo seen
            """);
        pod.Spec.Containers[0].WorkingDir = "/tmp";
        pod.Spec.Containers.Add(new Container { Name = "other", Image = TestImages.Busybox, Command = ["sleep", "54321"] });
        pod.Spec.ShareProcessNamespace = true;
        pod.Spec.HostAliases = _aliases;
        pod.Spec.HostnameOverride = "named.otherwise";
        pod.Spec.DnsPolicy = "None";
        pod.Spec.DnsConfig = new PodDnsConfig
        {
            Nameservers = ["192.0.2.53"], Searches = ["a.test", "b.test"], Options = [new PodDnsConfigOption { Name = "ndots", Value = "3" }, new PodDnsConfigOption { Name = "edns0" }],
        };
        // One that the kubelet calls safe and one that it does not: on a machine of its own a pod may set both.
        pod.Spec.SecurityContext = new PodSecurityContext
        {
            Sysctls = [new Sysctl { Name = "kernel.shm_rmid_forced", Value = "1" }, new Sysctl { Name = "net.core.somaxconn", Value = "333" }],
        };

        await client.Apply(world.Request(pod));
        await world.WaitForAsync(client, "the first container to end", status => status.ContainerStatuses![0].State?.Terminated is not null);

        Assert.Equal(
            $"""
            /tmp
            named.otherwise
            {world.PodAddress}	named.otherwise
            192.0.2.7	seven	seven.test
            search a.test b.test
            nameserver 192.0.2.53
            options ndots:3 edns0
            1
            333
            seen

            """,
            await client.LogAsync());
        await client.Stop(CellWorld.PodUid, 0);
        await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");
    }
}
