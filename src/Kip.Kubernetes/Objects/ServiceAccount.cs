namespace Kip.Kubernetes.Objects;

/// <summary>Whom a pod acts as (v1/ServiceAccount).</summary>
public sealed class ServiceAccount : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>ServiceAccount</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>Its secrets.</summary>
    public List<ObjectReference>? Secrets { get; set; }

    /// <summary>Secrets that its pods pull images with.</summary>
    public List<LocalObjectReference>? ImagePullSecrets { get; set; }

    /// <summary>Whether its pods get a token when they do not say.</summary>
    public bool? AutomountServiceAccountToken { get; set; }
}
