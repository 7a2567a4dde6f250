using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>A room for names (v1/Namespace).</summary>
public sealed class Namespace : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Namespace</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, labels and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>What is wanted; carried as it is.</summary>
    public JsonElement? Spec { get; set; }

    /// <summary>What is observed.</summary>
    public NamespaceStatus? Status { get; set; }
}

/// <summary>What is observed of a namespace.</summary>
public sealed class NamespaceStatus : ApiObject
{
    /// <summary>Active or Terminating.</summary>
    public string? Phase { get; set; }
}
