using System.Text.Json.Serialization.Metadata;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>How a part of an object that has a kind of its own is found and read, such as the token of a service account.</summary>
public sealed class Subresource<T>
    where T : class, IKubernetesObject
{
    /// <summary>The name as it stands in paths, such as <c>token</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Group and version of what is written and read.</summary>
    public required string ApiVersion { get; init; }

    /// <summary>The kind of what is written and read.</summary>
    public required string Kind { get; init; }

    /// <summary>How it is read and written.</summary>
    public required JsonTypeInfo<T> Json { get; init; }
}
