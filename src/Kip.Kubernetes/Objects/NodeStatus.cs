using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Objects;

/// <summary>What is observed of a node.</summary>
public sealed class NodeStatus : ApiObject
{
    /// <summary>What the node has.</summary>
    public Dictionary<string, Quantity>? Capacity { get; set; }

    /// <summary>What of it pods may have.</summary>
    public Dictionary<string, Quantity>? Allocatable { get; set; }

    /// <summary>Not used any more.</summary>
    public string? Phase { get; set; }

    /// <summary>Conditions, such as Ready.</summary>
    public List<NodeCondition>? Conditions { get; set; }

    /// <summary>Where the node is reached.</summary>
    public List<NodeAddress>? Addresses { get; set; }

    /// <summary>Where its kubelet listens.</summary>
    public NodeDaemonEndpoints? DaemonEndpoints { get; set; }

    /// <summary>What runs on it.</summary>
    public NodeSystemInfo? NodeInfo { get; set; }

    /// <summary>The images that are there; carried as it is.</summary>
    public JsonElement? Images { get; set; }

    /// <summary>Volumes that are mounted; carried as it is.</summary>
    public JsonElement? VolumesInUse { get; set; }

    /// <summary>Volumes that are attached; carried as it is.</summary>
    public JsonElement? VolumesAttached { get; set; }

    /// <summary>The kubelet's configuration, in old versions; carried as it is.</summary>
    public JsonElement? Config { get; set; }

    /// <summary>The runtimes it has; carried as it is.</summary>
    public JsonElement? RuntimeHandlers { get; set; }

    /// <summary>What its runtime can do; carried as it is.</summary>
    public JsonElement? Features { get; set; }

    /// <summary>Features of Kubernetes that the kubelet says it has, from 1.35.</summary>
    public List<string>? DeclaredFeatures { get; set; }
}

/// <summary>One condition of a node.</summary>
public sealed class NodeCondition : ApiObject
{
    /// <summary>The condition, such as Ready.</summary>
    public string Type { get; set => field = value ?? ""; } = "";

    /// <summary>True, False or Unknown.</summary>
    public string Status { get; set => field = value ?? ""; } = "";

    /// <summary>When it was last looked at.</summary>
    public DateTimeOffset? LastHeartbeatTime { get; set; }

    /// <summary>When the status last changed.</summary>
    public DateTimeOffset? LastTransitionTime { get; set; }

    /// <summary>Why, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>Why, for people.</summary>
    public string? Message { get; set; }
}

/// <summary>An address of a node.</summary>
public sealed class NodeAddress : ApiObject
{
    /// <summary>InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS.</summary>
    public string Type { get; set => field = value ?? ""; } = "";

    /// <summary>The address.</summary>
    public string Address { get; set => field = value ?? ""; } = "";
}

/// <summary>Where the daemons of a node listen.</summary>
public sealed class NodeDaemonEndpoints : ApiObject
{
    /// <summary>The kubelet's endpoint.</summary>
    public DaemonEndpoint? KubeletEndpoint { get; set; }
}

/// <summary>Where a daemon listens.</summary>
public sealed class DaemonEndpoint : ApiObject
{
    /// <summary>The port.</summary>
    [JsonPropertyName("Port")]
    public int Port { get; set; }
}

/// <summary>What runs on a node.</summary>
public sealed class NodeSystemInfo : ApiObject
{
    /// <summary>The machine's id.</summary>
    public string MachineID { get; set => field = value ?? ""; } = "";

    /// <summary>The machine's id as its firmware has it.</summary>
    public string SystemUUID { get; set => field = value ?? ""; } = "";

    /// <summary>Changes with each boot.</summary>
    public string BootID { get; set => field = value ?? ""; } = "";

    /// <summary>Version of the kernel.</summary>
    public string KernelVersion { get; set => field = value ?? ""; } = "";

    /// <summary>The operating system, for people.</summary>
    public string OsImage { get; set => field = value ?? ""; } = "";

    /// <summary>The runtime and its version, such as <c>containerd://1.6.20</c>.</summary>
    public string ContainerRuntimeVersion { get; set => field = value ?? ""; } = "";

    /// <summary>Version of the kubelet.</summary>
    public string KubeletVersion { get; set => field = value ?? ""; } = "";

    /// <summary>Version of kube-proxy; not used any more.</summary>
    public string KubeProxyVersion { get; set => field = value ?? ""; } = "";

    /// <summary>Such as linux.</summary>
    public string OperatingSystem { get; set => field = value ?? ""; } = "";

    /// <summary>Such as amd64.</summary>
    public string Architecture { get; set => field = value ?? ""; } = "";
}
