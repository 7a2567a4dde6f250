using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>What a pod's owner wants.</summary>
public sealed class PodSpec : ApiObject
{
    internal PodSpec CopyWithOwnContainers()
    {
        var copy = (PodSpec)MemberwiseClone();
        copy.InitContainers = InitContainers?.ConvertAll(static c => c.Copy());
        copy.Containers = Containers.ConvertAll(static c => c.Copy());
        copy.EphemeralContainers = EphemeralContainers?.ConvertAll(static c => (EphemeralContainer)c.Copy());
        return copy;
    }

    /// <summary>Volumes that containers may mount.</summary>
    public List<Volume>? Volumes { get; set; }

    /// <summary>Containers that run before the others, one after the other; those with restart policy Always are sidecars.</summary>
    public List<Container>? InitContainers { get; set; }

    /// <summary>The containers, at least one.</summary>
    public List<Container> Containers { get; set => field = value ?? []; } = [];

    /// <summary>Containers added to a running pod for debugging.</summary>
    public List<EphemeralContainer>? EphemeralContainers { get; set; }

    /// <summary>When ended containers start again; see <see cref="Objects.RestartPolicy"/>.</summary>
    public string? RestartPolicy { get; set; }

    /// <summary>Seconds between the stop signal and the kill, 0 or more.</summary>
    public long? TerminationGracePeriodSeconds { get; set; }

    /// <summary>Seconds the pod may run in all, 1 or more.</summary>
    public long? ActiveDeadlineSeconds { get; set; }

    /// <summary>ClusterFirst, ClusterFirstWithHostNet, Default or None.</summary>
    public string? DnsPolicy { get; set; }

    /// <summary>Labels a node must have.</summary>
    public Dictionary<string, string>? NodeSelector { get; set; }

    /// <summary>The service account the pod runs as.</summary>
    public string? ServiceAccountName { get; set; }

    /// <summary>The old name of <see cref="ServiceAccountName"/>.</summary>
    public string? ServiceAccount { get; set; }

    /// <summary>Whether the service account's token is mounted.</summary>
    public bool? AutomountServiceAccountToken { get; set; }

    /// <summary>The node the pod is bound to.</summary>
    public string? NodeName { get; set; }

    /// <summary>Whether the pod uses the host's network.</summary>
    public bool? HostNetwork { get; set; }

    /// <summary>Whether the pod sees the host's processes.</summary>
    public bool? HostPID { get; set; }

    /// <summary>Whether the pod uses the host's IPC objects.</summary>
    public bool? HostIPC { get; set; }

    /// <summary>Whether the pod's containers see each other's processes.</summary>
    public bool? ShareProcessNamespace { get; set; }

    /// <summary>Security settings of the whole pod.</summary>
    public PodSecurityContext? SecurityContext { get; set; }

    /// <summary>Secrets that hold registry credentials.</summary>
    public List<LocalObjectReference>? ImagePullSecrets { get; set; }

    /// <summary>The pod's host name; its own name when absent.</summary>
    public string? Hostname { get; set; }

    /// <summary>Makes the pod's full name <c>hostname.subdomain.namespace.svc.domain</c>.</summary>
    public string? Subdomain { get; set; }

    /// <summary>Where the scheduler may put the pod.</summary>
    public Affinity? Affinity { get; set; }

    /// <summary>The scheduler that places the pod.</summary>
    public string? SchedulerName { get; set; }

    /// <summary>Taints the pod bears.</summary>
    public List<Toleration>? Tolerations { get; set; }

    /// <summary>Lines added to <c>/etc/hosts</c>.</summary>
    public List<HostAlias>? HostAliases { get; set; }

    /// <summary>The pod's priority class.</summary>
    public string? PriorityClassName { get; set; }

    /// <summary>The pod's priority, from its class.</summary>
    public int? Priority { get; set; }

    /// <summary>Name servers, search domains and options, added to what the DNS policy gives.</summary>
    public PodDnsConfig? DnsConfig { get; set; }

    /// <summary>Further conditions that must hold before the pod is ready.</summary>
    public List<PodReadinessGate>? ReadinessGates { get; set; }

    /// <summary>The runtime class that runs the pod.</summary>
    public string? RuntimeClassName { get; set; }

    /// <summary>Whether services appear in environment variables.</summary>
    public bool? EnableServiceLinks { get; set; }

    /// <summary>PreemptLowerPriority or Never.</summary>
    public string? PreemptionPolicy { get; set; }

    /// <summary>Resources the runtime class itself needs.</summary>
    public Dictionary<string, Quantity>? Overhead { get; set; }

    /// <summary>How the scheduler spreads pods; carried as it is.</summary>
    public JsonElement? TopologySpreadConstraints { get; set; }

    /// <summary>Whether the host name is the full name.</summary>
    public bool? SetHostnameAsFQDN { get; set; }

    /// <summary>The operating system the pod is for.</summary>
    public PodOS? Os { get; set; }

    /// <summary>Whether the pod uses the host's user namespace.</summary>
    public bool? HostUsers { get; set; }

    /// <summary>While there are any the pod is not scheduled.</summary>
    public List<PodSchedulingGate>? SchedulingGates { get; set; }

    /// <summary>Claims of dynamic resources; carried as they are.</summary>
    public JsonElement? ResourceClaims { get; set; }

    /// <summary>Resources of the whole pod.</summary>
    public ResourceRequirements? Resources { get; set; }

    /// <summary>The host name, whatever else would give it.</summary>
    public string? HostnameOverride { get; set; }

    /// <summary>The workload the pod is scheduled with; carried as it is.</summary>
    public JsonElement? WorkloadRef { get; set; }
}

/// <summary>Lets a pod onto nodes with a matching taint.</summary>
public sealed class Toleration : ApiObject
{
    /// <summary>The taint's key; all keys when absent.</summary>
    public string? Key { get; set; }

    /// <summary>Exists or Equal.</summary>
    public string? Operator { get; set; }

    /// <summary>The taint's value, for Equal.</summary>
    public string? Value { get; set; }

    /// <summary>NoSchedule, PreferNoSchedule or NoExecute; all when absent.</summary>
    public string? Effect { get; set; }

    /// <summary>Seconds a NoExecute taint is borne; for ever when absent.</summary>
    public long? TolerationSeconds { get; set; }
}

/// <summary>A line of <c>/etc/hosts</c>.</summary>
public sealed class HostAlias : ApiObject
{
    /// <summary>The address.</summary>
    public string Ip { get; set => field = value ?? ""; } = "";

    /// <summary>Names of the address.</summary>
    public List<string>? Hostnames { get; set; }
}

/// <summary>Additions to the pod's resolver settings.</summary>
public sealed class PodDnsConfig : ApiObject
{
    /// <summary>Addresses of name servers.</summary>
    public List<string>? Nameservers { get; set; }

    /// <summary>Search domains.</summary>
    public List<string>? Searches { get; set; }

    /// <summary>Resolver options.</summary>
    public List<PodDnsConfigOption>? Options { get; set; }
}

/// <summary>One resolver option, such as <c>ndots:5</c>.</summary>
public sealed class PodDnsConfigOption : ApiObject
{
    /// <summary>The option's name.</summary>
    public string? Name { get; set; }

    /// <summary>The option's value, if it has one.</summary>
    public string? Value { get; set; }
}

/// <summary>Names a pod condition that must be true before the pod is ready.</summary>
public sealed class PodReadinessGate : ApiObject
{
    /// <summary>The condition's type.</summary>
    public string ConditionType { get; set => field = value ?? ""; } = "";
}

/// <summary>Names something that must happen before the pod is scheduled.</summary>
public sealed class PodSchedulingGate : ApiObject
{
    /// <summary>The gate's name.</summary>
    public string Name { get; set => field = value ?? ""; } = "";
}

/// <summary>The operating system a pod is for.</summary>
public sealed class PodOS : ApiObject
{
    /// <summary>linux or windows.</summary>
    public string Name { get; set => field = value ?? ""; } = "";
}
