using Kip.Agents;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Pods;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>From a volume that is a claim to the persistent volume that the claim is bound to.</summary>
internal static class ClaimResolver
{
    private const string Reason = "FailedMount";
    private const string Block = "Block";
    private const string Filesystem = "Filesystem";

    /// <summary>The claim that a volume stands for; null when it is no claim.</summary>
    public static string? NameOf(Pod pod, Volume volume) =>
        volume.PersistentVolumeClaim is { ClaimName: { Length: > 0 } name } ? name
        : volume.Ephemeral is not null ? $"{pod.Metadata.Name}-{volume.Name}" // as kube-controller-manager names what it makes for the pod
        : null;

    /// <summary>Null when the volume is no claim.</summary>
    /// <exception cref="PodResolutionException">The claim or its volume is not there, or not as the pod needs it. That may change.</exception>
    public static PodPersistentVolume? Resolve(Pod pod, Volume volume, ObjectSet objects)
    {
        if (NameOf(pod, volume) is not { } name)
        {
            return null;
        }

        var claim = objects.Claim(name) ?? throw Failure(
            volume.Ephemeral is null
                ? $"persistentvolumeclaim \"{name}\" not found: volume {volume.Name} needs it"
                : $"persistentvolumeclaim \"{name}\" not found: kube-controller-manager makes it for ephemeral volume {volume.Name}");
        if (volume.Ephemeral is not null && !(claim.Metadata.OwnerReferences ?? []).Exists(owner => owner.Controller == true && owner.Uid == pod.Metadata.Uid))
        {
            // It is somebody else's, which happens to have the name.
            throw Failure($"persistentvolumeclaim \"{name}\" was not created for the pod, which needs one of this name for ephemeral volume {volume.Name}");
        }

        // A claim in use goes when its last pod has gone: who runs already may go on.
        if (claim.Metadata.DeletionTimestamp is not null && !HasStarted(pod))
        {
            throw Failure($"can't start pod because persistentvolumeclaim \"{name}\" is being deleted");
        }

        var bound = Bound(claim, name, objects);
        var isBlock = bound.Spec.VolumeMode == Block;
        foreach (var container in PodReferences.ContainersOf(pod.Spec))
        {
            if (isBlock && container.VolumeMounts?.Exists(mount => mount.Name == volume.Name) == true)
            {
                throw Failure($"volume {volume.Name} has volumeMode {Block}, but is specified in volumeMounts of container {container.Name}");
            }

            if (!isBlock && container.VolumeDevices?.Exists(device => device.Name == volume.Name) == true)
            {
                throw Failure($"volume {volume.Name} has volumeMode {Filesystem}, but is specified in volumeDevices of container {container.Name}");
            }
        }

        return new PodPersistentVolume(volume.Name, bound, volume.PersistentVolumeClaim?.ReadOnly == true || IsReadOnly(bound.Spec));
    }

    private static PersistentVolume Bound(PersistentVolumeClaim claim, string name, ObjectSet objects)
    {
        if (claim.Status?.Phase == "Lost")
        {
            throw Failure($"persistentvolumeclaim \"{name}\" has lost its volume {claim.Spec.VolumeName}");
        }

        if (claim.Status?.Phase != "Bound" || claim.Spec.VolumeName is not { Length: > 0 } volumeName)
        {
            throw Failure($"persistentvolumeclaim \"{name}\" is not bound to a volume yet (storage class: {claim.Spec.StorageClassName ?? "none"})");
        }

        var volume = objects.PersistentVolume(volumeName) ?? throw Failure($"persistentvolume \"{volumeName}\" of persistentvolumeclaim \"{name}\" not found");
        return volume.Spec.ClaimRef?.Uid == claim.Metadata.Uid
            ? volume
            : throw Failure($"persistentvolume \"{volumeName}\" is bound to another claim than persistentvolumeclaim \"{name}\"");
    }

    private static bool IsReadOnly(PersistentVolumeSpec spec) =>
        (spec.Csi?.ReadOnly ?? spec.Nfs?.ReadOnly ?? spec.AwsElasticBlockStore?.ReadOnly ?? spec.GcePersistentDisk?.ReadOnly ?? spec.AzureDisk?.ReadOnly) == true;

    private static bool HasStarted(Pod pod) => (pod.Status?.ContainerStatuses ?? []).Concat(pod.Status?.InitContainerStatuses ?? []).Any(static c => c.ContainerID is not null);

    private static PodResolutionException Failure(string message) => new(Reason, message);
}
