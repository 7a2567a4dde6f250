using Kip.Drivers;
using Kip.Kubernetes.Objects;

namespace Kip.Agents;

/// <summary>A persistent volume that a pod uses by a claim.</summary>
/// <param name="Name">As in the pod's <c>spec.volumes</c>.</param>
/// <param name="Volume">The volume that the claim is bound to.</param>
/// <param name="ReadOnly">Whether the pod only reads it.</param>
public sealed record PodPersistentVolume(string Name, PersistentVolume Volume, bool ReadOnly)
{
    /// <summary>How the cell finds its device: set by the core when the volume is attached, and null for one that is not a device.</summary>
    public AttachedDevice? Device { get; init; }

    /// <summary>Whether it comes to the cell as a device; NFS exports do not.</summary>
    public bool IsDevice => Volume.Spec.Nfs is null;
}
