namespace Kip.Kubernetes.Objects;

/// <summary>Objects of one kind.</summary>
public sealed class KubernetesList<T> : ApiObject
    where T : class, IKubernetesObject
{
    /// <summary>The API group and version.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, such as <c>PodList</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Which state of the cluster the list shows.</summary>
    public ListMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The objects.</summary>
    public List<T> Items { get; set => field = value ?? []; } = [];
}

/// <summary>Which state of the cluster a list shows.</summary>
public sealed class ListMeta : ApiObject
{
    /// <summary>The version from which a watch goes on; opaque.</summary>
    public string? ResourceVersion { get; set; }

    /// <summary>Names the next page; empty on the last one.</summary>
    public string? Continue { get; set; }

    /// <summary>How many objects the pages after this one have, where the API server knows.</summary>
    public long? RemainingItemCount { get; set; }

    /// <summary>The list's URL, set by old API servers only.</summary>
    public string? SelfLink { get; set; }
}
