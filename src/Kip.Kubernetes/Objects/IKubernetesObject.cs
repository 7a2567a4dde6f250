namespace Kip.Kubernetes.Objects;

/// <summary>An object that the API server stores or answers under a kind of its own, such as a pod.</summary>
public interface IKubernetesObject
{
    /// <summary>The API group and version, such as <c>v1</c> or <c>coordination.k8s.io/v1</c>.</summary>
    string? ApiVersion { get; set; }

    /// <summary>The kind, such as <c>Pod</c>.</summary>
    string? Kind { get; set; }

    /// <summary>Name, namespace, labels and what else identifies the object.</summary>
    ObjectMeta Metadata { get; set; }
}
