using Kip.Kubernetes.Objects;

namespace Kip.Drivers;

/// <summary>
/// Optional capability of an <see cref="ICellDriver"/>: attaches the disks behind persistent volumes to cells. Implement it on the driver's
/// class. Every operation is safe to call from many threads and safe to call again, also from another process.
/// </summary>
/// <remarks>
/// <para>Failures are reported as <see cref="DriverException"/>. A volume that is attached to another instance is
/// <see cref="DriverErrorKind.Transient"/>: it may come free, and the core tries again for as long as the pod wants it.</para>
/// <para>An instance that has ended holds no volume: once <see cref="ICellDriver.ListAsync"/> shows it as
/// <see cref="InstanceState.Terminated"/>, or no more, its volumes can be attached elsewhere, without a <see cref="DetachAsync"/> and with
/// all that was written. Ending an instance never deletes a volume that was attached to it.</para>
/// </remarks>
public interface IVolumeAttacher
{
    /// <summary>Whether the volume is one of this driver's, and which. Looks at the object only: must not call the cloud.</summary>
    /// <param name="volume">The volume. Its source says what it is: <c>spec.csi</c> with a driver's name and a volume handle, or one that Kubernetes
    /// itself knows, such as <c>spec.awsElasticBlockStore</c>.</param>
    /// <returns>Null when its source is not for this driver.</returns>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.InvalidConfiguration"/> when it is, but what it says cannot be.</exception>
    AttachableVolume? Identify(PersistentVolume volume);

    /// <summary>
    /// Attaches a volume to a running instance of this controller and returns once the cell can find its device. Attached to that instance
    /// already, nothing is done, and the answer is the same. What lies on the volume is not looked at and not changed.
    /// </summary>
    /// <param name="instanceId">The instance.</param>
    /// <param name="volume">From <see cref="Identify"/>.</param>
    /// <param name="readOnly">Whether the cell only reads it. Where the cloud knows no read-only attachment this is left to the cell.</param>
    /// <param name="cancellationToken">Ends the call. The volume may be attached all the same, then or later.</param>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.NotFound"/> when the instance or the volume does not exist (any more),
    /// <see cref="DriverErrorKind.InvalidConfiguration"/> when the two cannot be brought together, being in different zones for one,
    /// <see cref="DriverErrorKind.Quota"/> when the instance takes no more volumes.</exception>
    Task<AttachedDevice> AttachAsync(string instanceId, AttachableVolume volume, bool readOnly, CancellationToken cancellationToken);

    /// <summary>
    /// Takes a volume off an instance and returns once it can be attached elsewhere. The cell has unmounted it before. Not attached to that
    /// instance, nothing is done; that the instance or the volume is gone is no error.
    /// </summary>
    /// <param name="instanceId">The instance.</param>
    /// <param name="volume">From <see cref="Identify"/>.</param>
    /// <param name="cancellationToken">Ends the call. The volume may be detached all the same.</param>
    /// <exception cref="DriverException">It is attached still, or nobody knows; repeating the call is safe.</exception>
    Task DetachAsync(string instanceId, AttachableVolume volume, CancellationToken cancellationToken);
}

/// <summary>A disk that a driver can attach.</summary>
/// <param name="Id">The cloud's identifier. Two persistent volumes of the same disk have the same.</param>
/// <param name="Zone">
/// The zone that a cell must be in for it, where the volume's source says so; null where it does not, or any zone will do. What the
/// object says of nodes besides (<c>spec.nodeAffinity</c>) is the core's affair.
/// </param>
public sealed record AttachableVolume(string Id, string? Zone = null);

/// <summary>How a cell finds the device of a volume that was attached to it. At least one of its parts is set.</summary>
public sealed record AttachedDevice
{
    /// <summary>Paths below <c>/dev</c>; the first that exists on the cell is it, for example <c>/dev/disk/by-id/google-data</c>.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>
    /// The serial number that the kernel has of it (<c>/sys/block/*/serial</c> or <c>/sys/block/*/device/serial</c>), looked for when no path is
    /// there: cell images without udev have no <c>/dev/disk</c>.
    /// </summary>
    public string? Serial { get; init; }
}
