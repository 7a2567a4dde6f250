using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Events;

/// <summary>Makes references to objects.</summary>
public static class ObjectReferences
{
    /// <summary>Refers to an object, or to a part of it such as <c>spec.containers{web}</c>.</summary>
    public static ObjectReference ToReference(this IKubernetesObject value, string? fieldPath = null)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new ObjectReference
        {
            ApiVersion = value.ApiVersion,
            Kind = value.Kind,
            Namespace = value.Metadata.Namespace,
            Name = value.Metadata.Name,
            Uid = value.Metadata.Uid,
            ResourceVersion = value.Metadata.ResourceVersion,
            FieldPath = fieldPath,
        };
    }
}
