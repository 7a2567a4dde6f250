using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>Names a configuration of the container runtime that pods may ask for (node.k8s.io/v1/RuntimeClass).</summary>
public sealed class RuntimeClass : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>node.k8s.io/v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>RuntimeClass</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>The name; classes have no namespace.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The name of the configuration in the runtime, such as a runtime of containerd's configuration file.</summary>
    public string Handler { get; set => field = value ?? ""; } = "";

    /// <summary>What the class itself takes; the API server writes it into pods. Carried as it is.</summary>
    public JsonElement? Overhead { get; set; }

    /// <summary>Where pods of the class may go; the API server writes it into pods. Carried as it is.</summary>
    public JsonElement? Scheduling { get; set; }
}
