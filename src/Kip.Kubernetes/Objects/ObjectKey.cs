namespace Kip.Kubernetes.Objects;

/// <summary>Where an object is found: its namespace, empty for objects of the whole cluster, and its name.</summary>
public readonly record struct ObjectKey(string Namespace, string Name)
{
    /// <summary>The key of an object of the whole cluster, such as a node.</summary>
    public ObjectKey(string name)
        : this("", name)
    {
    }

    /// <summary>The key of an object.</summary>
    /// <exception cref="ArgumentException">The object has no name.</exception>
    public static ObjectKey Of(IKubernetesObject value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return value.Metadata.Name is { Length: > 0 } name
            ? new ObjectKey(value.Metadata.Namespace ?? "", name)
            : throw new ArgumentException($"the {value.Kind ?? "object"} has no name", nameof(value));
    }

    /// <summary><c>namespace/name</c>, or the name alone.</summary>
    public override string ToString() => Namespace is { Length: > 0 } ? $"{Namespace}/{Name}" : Name;
}
