namespace Kip.Kubernetes.Objects;

/// <summary>What a container or pod needs and may use, by resource name.</summary>
public sealed class ResourceRequirements : ApiObject
{
    /// <summary>The most it may use.</summary>
    public Dictionary<string, Quantity>? Limits { get; set; }

    /// <summary>What it needs; the limits where absent.</summary>
    public Dictionary<string, Quantity>? Requests { get; set; }

    /// <summary>Claims of dynamic resources, by name in the pod.</summary>
    public List<ResourceClaim>? Claims { get; set; }
}

/// <summary>Refers to a resource claim of the pod.</summary>
public sealed class ResourceClaim : ApiObject
{
    /// <summary>The claim's name in the pod.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>One request of the claim; all when absent.</summary>
    public string? Request { get; set; }
}
