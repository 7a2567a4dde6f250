using Kip.Drivers.Local.Instances;
using Kip.Drivers.Local.Volumes;
using Kip.Kubernetes.Objects;

namespace Kip.Drivers.Local;

/// <content>Persistent volumes that are files or block devices of this machine.</content>
public sealed partial class LocalDriver : IVolumeAttacher
{
    /// <inheritdoc/>
    /// <remarks>Volumes of the sources <c>local</c> and <c>hostPath</c>: their path is a disk image or a block device.</remarks>
    public AttachableVolume? Identify(PersistentVolume volume)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return LocalVolumes.Identify(volume);
    }

    /// <inheritdoc/>
    public Task<AttachedDevice> AttachAsync(string instanceId, AttachableVolume volume, bool readOnly, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return InstanceStore.IsInstanceId(instanceId)
            ? Explaining(() => _volumes.AttachAsync(_store.Get(instanceId), volume.Id, readOnly, cancellationToken), $"attach {volume.Id}")
            : Task.FromException<AttachedDevice>(new DriverException(DriverErrorKind.NotFound, $"there is no cell {instanceId}"));
    }

    /// <inheritdoc/>
    public Task DetachAsync(string instanceId, AttachableVolume volume, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return Explaining(
            async () =>
            {
                if (InstanceStore.IsInstanceId(instanceId))
                {
                    await _volumes.DetachAsync(_store.Get(instanceId), volume.Id, cancellationToken);
                }

                return true;
            },
            $"detach {volume.Id}");
    }
}
