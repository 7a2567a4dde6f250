using Amazon.EC2.Model;
using Kip.Kubernetes.Objects;

namespace Kip.Drivers.Aws;

/// <content>Persistent volumes: those of Elastic Block Store, by its CSI driver's name or in the old way.</content>
public sealed partial class AwsDriver : IVolumeAttacher
{
    /// <inheritdoc/>
    public AttachableVolume? Identify(PersistentVolume volume)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return AwsVolumes.Identify(volume);
    }

    /// <inheritdoc/>
    public async Task<AttachedDevice> AttachAsync(string instanceId, AttachableVolume volume, bool readOnly, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(volume);
        if (await FindAsync(instanceId, cancellationToken).ConfigureAwait(false) is not { State: < InstanceState.Terminating })
        {
            throw new DriverException(DriverErrorKind.NotFound, $"cannot attach {volume.Id}: {_options.ControllerId} has no instance {instanceId}, or none any more");
        }

        return await _volumes.AttachAsync(instanceId, volume.Id, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task DetachAsync(string instanceId, AttachableVolume volume, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(volume);
        // One that ends may have the volume for a while. One that is not this controller's is not touched.
        if (await FindAsync(instanceId, cancellationToken).ConfigureAwait(false) is not null)
        {
            await _volumes.DetachAsync(instanceId, volume.Id, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<Instance?> FindAsync(string instanceId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var found = await DescribeAsync("look whose the instance is", cancellationToken, Ec2Filter.On("instance-id", instanceId)).ConfigureAwait(false);
        return found.Find(instance => instance.Id == instanceId);
    }
}
