using System.Text.Json.Serialization.Metadata;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>
/// How objects of a kind are found at the API server and read. <see cref="Resources"/> has those of Kip; a custom resource
/// needs one instance of this class and a source-generated JSON context.
/// </summary>
public sealed class ResourceType<T>
    where T : class, IKubernetesObject
{
    /// <summary>The API group; empty for the core group.</summary>
    public string Group { get; init; } = "";

    /// <summary>The version, such as <c>v1</c>.</summary>
    public required string Version { get; init; }

    /// <summary>The kind, such as <c>Pod</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The resource as it stands in paths, such as <c>pods</c>.</summary>
    public required string Plural { get; init; }

    /// <summary>Whether the objects live in namespaces.</summary>
    public required bool Namespaced { get; init; }

    /// <summary>How one object is read and written.</summary>
    public required JsonTypeInfo<T> Json { get; init; }

    /// <summary>How a list is read; null where the objects cannot be listed.</summary>
    public JsonTypeInfo<KubernetesList<T>>? ListJson { get; init; }

    /// <summary>Group and version as objects have them, such as <c>v1</c> or <c>coordination.k8s.io/v1</c>.</summary>
    public string ApiVersion => field ??= Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The path of the collection, without a leading slash.</summary>
    /// <param name="namespace">The namespace; empty for all namespaces and for resources of the whole cluster.</param>
    internal string CollectionPath(string @namespace)
    {
        var root = Group.Length == 0 ? $"api/{Version}" : $"apis/{Group}/{Version}";
        return Namespaced && @namespace.Length > 0
            ? $"{root}/namespaces/{Uri.EscapeDataString(@namespace)}/{Plural}"
            : $"{root}/{Plural}";
    }

    /// <summary>The path of one object or of a part of it, without a leading slash.</summary>
    internal string ObjectPath(ObjectKey key, string? subresource)
    {
        ArgumentException.ThrowIfNullOrEmpty(key.Name);
        if (Namespaced)
        {
            ArgumentException.ThrowIfNullOrEmpty(key.Namespace);
        }

        var path = $"{CollectionPath(key.Namespace)}/{Uri.EscapeDataString(key.Name)}";
        return subresource is null ? path : $"{path}/{subresource}";
    }

    /// <summary>Gives an object its API version and kind, which the items of a list do not carry.</summary>
    internal void Stamp(T value)
    {
        value.ApiVersion ??= ApiVersion;
        value.Kind ??= Kind;
    }
}
