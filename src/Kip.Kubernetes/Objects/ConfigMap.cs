namespace Kip.Kubernetes.Objects;

/// <summary>Values that everybody may see (v1/ConfigMap).</summary>
public sealed class ConfigMap : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>ConfigMap</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>Whether the values can never change.</summary>
    public bool? Immutable { get; set; }

    /// <summary>The values by key.</summary>
    public Dictionary<string, string>? Data { get; set; }

    /// <summary>Values that are no UTF-8 text.</summary>
    public Dictionary<string, byte[]>? BinaryData { get; set; }
}
