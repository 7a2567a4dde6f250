using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>Where the scheduler may put a pod, and where it would rather.</summary>
public sealed class Affinity : ApiObject
{
    /// <summary>By the labels of nodes.</summary>
    public NodeAffinity? NodeAffinity { get; set; }

    /// <summary>Near other pods; carried as it is.</summary>
    public JsonElement? PodAffinity { get; set; }

    /// <summary>Away from other pods; carried as it is.</summary>
    public JsonElement? PodAntiAffinity { get; set; }
}

/// <summary>Where a pod may be put, by the labels of nodes.</summary>
public sealed class NodeAffinity : ApiObject
{
    /// <summary>What must hold when the pod is placed.</summary>
    public NodeSelector? RequiredDuringSchedulingIgnoredDuringExecution { get; set; }

    /// <summary>What the scheduler weighs; carried as it is.</summary>
    public JsonElement? PreferredDuringSchedulingIgnoredDuringExecution { get; set; }
}

/// <summary>Picks nodes: one of the terms must hold.</summary>
public sealed class NodeSelector : ApiObject
{
    /// <summary>The terms.</summary>
    public List<NodeSelectorTerm> NodeSelectorTerms { get; set => field = value ?? []; } = [];
}

/// <summary>Picks nodes: all that it says must hold. A term that says nothing picks none.</summary>
public sealed class NodeSelectorTerm : ApiObject
{
    /// <summary>About labels.</summary>
    public List<NodeSelectorRequirement>? MatchExpressions { get; set; }

    /// <summary>About fields of the node, of which there is only <c>metadata.name</c>.</summary>
    public List<NodeSelectorRequirement>? MatchFields { get; set; }
}

/// <summary>One thing a label of a node must be.</summary>
public sealed class NodeSelectorRequirement : ApiObject
{
    /// <summary>The label.</summary>
    public string Key { get; set => field = value ?? ""; } = "";

    /// <summary><c>In</c>, <c>NotIn</c>, <c>Exists</c>, <c>DoesNotExist</c>, <c>Gt</c> or <c>Lt</c>.</summary>
    public string Operator { get; set => field = value ?? ""; } = "";

    /// <summary>With what it is compared; one whole number for <c>Gt</c> and <c>Lt</c>, none for <c>Exists</c> and <c>DoesNotExist</c>.</summary>
    public List<string>? Values { get; set; }
}
