using Kip.Agents.Protocol;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Volumes.Disks;

/// <summary>
/// Volumes that outlive the pod: disks that were attached to the cell, and NFS exports. A file system is mounted where the pod's volumes are;
/// of a block volume a link to its device lies beside them. Everything is safe to repeat.
/// </summary>
internal sealed class PersistentVolumes(BlockDevices devices, FileSystems fileSystems, TimeProvider time)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private static readonly TimeSpan _unmountPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _unmountPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Whether a volume is a claim: what it is bound to comes with the pod.</summary>
    public static bool IsClaim(Volume volume) => volume.PersistentVolumeClaim is not null || volume.Ephemeral is not null;

    public static bool Is(Volume volume) => IsClaim(volume) || volume.Nfs is not null;

    /// <summary>Whether containers may not write to it, as far as the pod says so; what the volume itself says is in its mount.</summary>
    public static bool IsReadOnly(Volume volume) => volume.PersistentVolumeClaim?.ReadOnly == true || volume.Nfs?.ReadOnly == true;

    /// <summary>Brings a volume to where containers get it from.</summary>
    /// <param name="volume">The volume.</param>
    /// <param name="mount">What its claim is bound to; null when it is no claim.</param>
    /// <param name="security">For the pod's group.</param>
    /// <param name="directory">Where to mount it.</param>
    /// <exception cref="VolumeException">It cannot be had (yet).</exception>
    public void SetUp(Volume volume, PersistentVolumeMount? mount, PodSecurityContext? security, string directory)
    {
        if (volume.Nfs is { } inline)
        {
            MountNfs(inline.Server, inline.Path, [], inline.ReadOnly == true, directory);
            return;
        }

        switch (mount)
        {
            case null:
                throw new VolumeException("nothing is known of what its claim is bound to");
            case { SourceCase: PersistentVolumeMount.SourceOneofCase.Nfs }:
                MountNfs(mount.Nfs.Server, mount.Nfs.Path, mount.MountOptions, mount.ReadOnly, directory);
                break;
            case { Block: true }:
                Link(devices.Find(mount.Device), LinkOf(directory));
                break;
            default:
                MountDisk(mount, security, directory);
                break;
        }
    }

    /// <summary>The device of a block volume that is set up.</summary>
    /// <exception cref="VolumeException">It is not.</exception>
    public static string DeviceOf(string directory) =>
        new FileInfo(LinkOf(directory)).LinkTarget ?? throw new VolumeException($"volume {Path.GetFileName(directory)} is no block volume that is set up");

    /// <summary>
    /// Unmounts a disk, so that all that was written is on it and the next cell finds it clean. Waits for processes that are ending.
    /// </summary>
    /// <exception cref="IOException">It stayed in use. What was written is on the disk all the same, and the mount goes with its last user.</exception>
    public async Task UnmountAsync(string directory, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (!LinuxCalls.TryUnmount(directory))
        {
            if (time.GetElapsedTime(start) > _unmountPatience)
            {
                LinuxCalls.Synchronize(directory);
                LinuxCalls.Unmount(directory);
                throw new IOException($"{directory} was still in use {_unmountPatience.TotalSeconds:0} s after the last container had ended");
            }

            await Task.Delay(_unmountPause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private void MountNfs(string server, string path, IReadOnlyList<string> options, bool readOnly, string directory)
    {
        if (!MountTable.IsMounted(directory))
        {
            Directory.CreateDirectory(directory, OwnerOnly);
            fileSystems.MountNfs(server, path, directory, options, readOnly);
        }
    }

    private void MountDisk(PersistentVolumeMount mount, PodSecurityContext? security, string directory)
    {
        // Beside the mount: an agent that was killed in between has given the volume to its group only in part.
        var done = $"{directory}.mounted";
        if (MountTable.IsMounted(directory))
        {
            if (File.Exists(done))
            {
                return;
            }
        }
        else
        {
            var device = devices.Find(mount.Device);
            Directory.CreateDirectory(directory, OwnerOnly);
            File.Delete(done);
            fileSystems.Mount(device, directory, mount.FsType, mount.MountOptions, mount.ReadOnly);
        }

        if (security?.FsGroup is { } group && !mount.ReadOnly)
        {
            VolumeOwnership.Apply(directory, (uint)group, security.FsGroupChangePolicy == "OnRootMismatch");
        }

        File.WriteAllBytes(done, []);
    }

    private static string LinkOf(string directory) => $"{directory}.device";

    private static void Link(string device, string link)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(link)!, OwnerOnly);
        if (new FileInfo(link).LinkTarget != device)
        {
            File.Delete(link);
            File.CreateSymbolicLink(link, device);
        }
    }
}
