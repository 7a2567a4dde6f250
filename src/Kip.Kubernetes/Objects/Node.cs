using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>A machine that pods run on, or that stands for many (v1/Node).</summary>
public sealed class Node : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Node</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, labels and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>What is wanted.</summary>
    public NodeSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>What is observed.</summary>
    public NodeStatus? Status { get; set; }
}

/// <summary>What is wanted of a node.</summary>
public sealed class NodeSpec : ApiObject
{
    /// <summary>The addresses its pods get, when the cluster hands them out by node.</summary>
    public string? PodCIDR { get; set; }

    /// <summary>The same for each address family; the first one is <see cref="PodCIDR"/>.</summary>
    public List<string>? PodCIDRs { get; set; }

    /// <summary>The machine, as its cloud names it.</summary>
    public string? ProviderID { get; set; }

    /// <summary>Whether the node is cordoned: nothing new is put on it.</summary>
    public bool? Unschedulable { get; set; }

    /// <summary>What keeps pods away that do not tolerate it.</summary>
    public List<Taint>? Taints { get; set; }

    /// <summary>Where the kubelet's configuration came from, in old versions; carried as it is.</summary>
    public JsonElement? ConfigSource { get; set; }
}

/// <summary>Keeps pods away from a node.</summary>
public sealed class Taint : ApiObject
{
    /// <summary>The key.</summary>
    public string Key { get; set => field = value ?? ""; } = "";

    /// <summary>The value.</summary>
    public string? Value { get; set; }

    /// <summary>NoSchedule, PreferNoSchedule or NoExecute.</summary>
    public string Effect { get; set => field = value ?? ""; } = "";

    /// <summary>When it was added.</summary>
    public DateTimeOffset? TimeAdded { get; set; }
}
