using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Informers;

/// <summary>What changed: added when there is no old state, deleted when there is no new one, updated otherwise.</summary>
/// <param name="Old">The state before, the last one known of a deleted object.</param>
/// <param name="New">The state now.</param>
public readonly record struct ObjectChange<T>(T? Old, T? New)
    where T : class, IKubernetesObject
{
    /// <summary>Where the object is, or was.</summary>
    public ObjectKey Key => ObjectKey.Of((New ?? Old)!);
}
