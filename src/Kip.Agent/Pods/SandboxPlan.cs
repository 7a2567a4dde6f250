using Kip.Agent.Runtime.Cri;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>From a pod to the sandbox its containers share.</summary>
internal static class SandboxPlan
{
    public static PodSandboxConfig ToCri(Pod pod, uint attempt, Cell cell)
    {
        var spec = pod.Spec;
        var config = new PodSandboxConfig
        {
            Metadata = new PodSandboxMetadata
            {
                Name = PodIdentity.Name(pod), Namespace = PodIdentity.Namespace(pod), Uid = PodIdentity.Uid(pod), Attempt = attempt,
            },
            Hostname = PodHostname.ForKernel(pod),
            LogDirectory = PodIdentity.LogDirectory(cell.LogDirectory, pod),
            DnsConfig = DnsSettings.ToCri(spec, cell.ResolvConf),
            Labels = { PodIdentity.Labels(pod) },
            Linux = new LinuxPodSandboxConfig
            {
                CgroupParent = PodIdentity.Cgroup(cell.CgroupParent, PodIdentity.Uid(pod)),
                SecurityContext = SecurityContext(spec, cell),
            },
        };
        foreach (var sysctl in spec.SecurityContext?.Sysctls ?? [])
        {
            config.Linux.Sysctls[sysctl.Name] = sysctl.Value;
        }

        if (spec.HostNetwork != true)
        {
            config.PortMappings.AddRange(HostPorts(spec));
        }

        return config;
    }

    /// <summary>Which of containerd's configured runtimes runs the pod; empty for the default one.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="resolved">What its runtime class names; empty when nobody has looked it up.</param>
    public static string Handler(Pod pod, string resolved) =>
        resolved.Length > 0 ? resolved
        : pod.Spec.RuntimeClassName is { Length: > 0 } name ? name
        : Gpus.Asks(pod.Spec) ? Gpus.Handler
        : "";

    public static NamespaceOption Namespaces(PodSpec spec) => new()
    {
        Network = spec.HostNetwork == true ? NamespaceMode.Node : NamespaceMode.Pod,
        Pid = spec.HostPID == true ? NamespaceMode.Node : spec.ShareProcessNamespace == true ? NamespaceMode.Pod : NamespaceMode.Container,
        Ipc = spec.HostIPC == true ? NamespaceMode.Node : NamespaceMode.Pod,
    };

    /// <summary>The ports that are to answer on the cell's own address as well.</summary>
    public static IEnumerable<PortMapping> HostPorts(PodSpec spec) =>
        from container in spec.Containers.Concat((spec.InitContainers ?? []).Where(init => init.RestartPolicy == "Always"))
        from port in container.Ports ?? []
        let hostPort = port.HostPort ?? 0
        where hostPort > 0
        select new PortMapping
        {
            ContainerPort = port.Port,
            HostPort = hostPort,
            HostIp = port.HostIP ?? "",
            Protocol = port.Protocol switch { "UDP" => Protocol.Udp, "SCTP" => Protocol.Sctp, _ => Protocol.Tcp },
        };

    private static LinuxSandboxSecurityContext SecurityContext(PodSpec spec, Cell cell)
    {
        var pod = spec.SecurityContext;
        var context = new LinuxSandboxSecurityContext
        {
            NamespaceOptions = Namespaces(spec),
            Privileged = spec.Containers.Concat(spec.InitContainers ?? []).Any(container => container.SecurityContext?.Privileged == true),
            Seccomp = ContainerPlan.Seccomp(pod?.SeccompProfile, cell) ?? new SecurityProfile(),
            SelinuxOptions = ContainerPlan.SeLinux(pod?.SeLinuxOptions),
        };
        if (pod?.RunAsUser is { } user)
        {
            context.RunAsUser = new Int64Value { Value = user };
            context.RunAsGroup = pod.RunAsGroup is { } group ? new Int64Value { Value = group } : null;
        }

        context.SupplementalGroups.AddRange(ContainerPlan.Groups(pod));
        return context;
    }
}
