using System.Security.Cryptography;
using System.Text;
using Kip.Drivers.Local.Host;
using Kip.Drivers.Local.Instances;
using Kip.Kubernetes.Objects;

namespace Kip.Drivers.Local.Volumes;

/// <summary>
/// Disk images and block devices of this machine as volumes of cells. An image becomes a loop device, which all cells see below the
/// <c>/dev</c> that they share; that one cell at a time uses it is the driver's affair, and is written down in the cell's directory first.
/// </summary>
internal sealed class LocalVolumes(InstanceStore store, TimeProvider timeProvider)
{
    private static readonly TimeSpan LoopPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Volumes that name a path of this machine; null for others.</summary>
    public static AttachableVolume? Identify(PersistentVolume volume)
    {
        if ((volume.Spec.Local?.Path ?? volume.Spec.HostPath?.Path) is not { } path)
        {
            return null;
        }

        return Path.IsPathFullyQualified(path)
            ? new AttachableVolume(Path.GetFullPath(path))
            : throw Invalid($"PersistentVolume {volume.Metadata.Name}: \"{path}\" is no absolute path");
    }

    public async Task<AttachedDevice> AttachAsync(InstanceDirectory cell, string path, bool readOnly, CancellationToken cancellationToken)
    {
        // Before the lock too, whose file goes with the last cell.
        CheckRunning(cell);
        using var all = await store.LockAsync(cancellationToken);
        CheckRunning(cell);
        var file = Resolve(path);
        foreach (var other in store.ListAll().Where(other => other.Path != cell.Path && Held(other).Contains(file)))
        {
            if (other.ReadState().State != InstanceState.Terminated)
            {
                throw new DriverException(DriverErrorKind.Transient, $"{path} is in use by cell {other.Id}");
            }

            await ReleaseAsync(other, cancellationToken);
        }

        var note = NoteOf(cell, path);
        var known = File.Exists(note);
        var loops = LoopDevices.Of(file);
        if (!known && loops.Count > 0)
        {
            throw new DriverException(DriverErrorKind.Transient, $"{path} is in use by {loops[0]} of this machine");
        }

        if (!known)
        {
            Directory.CreateDirectory(cell.VolumesDirectory);
            File.WriteAllText(note, file);
        }

        if (file.StartsWith("/dev/", StringComparison.Ordinal))
        {
            return new AttachedDevice { Paths = [file] };
        }

        if (loops.Count == 0)
        {
            string[] arguments = readOnly ? ["--find", "--read-only", file] : ["--find", file];
            await Command.RunAsync("losetup", arguments, "", timeProvider, cancellationToken);
            loops = LoopDevices.Of(file);
        }

        return loops is [var device, ..]
            ? new AttachedDevice { Paths = [device] }
            : throw new DriverException(DriverErrorKind.Transient, $"losetup made no device of {path}");
    }

    public async Task DetachAsync(InstanceDirectory cell, string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(NoteOf(cell, path)))
        {
            return;
        }

        using var all = await store.LockAsync(cancellationToken);
        await ReleaseNoteAsync(NoteOf(cell, path), cancellationToken);
    }

    /// <summary>Detaches all that a cell has. The caller holds the lock of the store.</summary>
    public async Task ReleaseAsync(InstanceDirectory cell, CancellationToken cancellationToken)
    {
        foreach (var note in Notes(cell))
        {
            await ReleaseNoteAsync(note, cancellationToken);
        }
    }

    private static DriverException Invalid(string message) => new(DriverErrorKind.InvalidConfiguration, message);

    private static void CheckRunning(InstanceDirectory cell)
    {
        var state = cell.Exists ? cell.ReadState().State : InstanceState.Terminated;
        if (state >= InstanceState.Terminating)
        {
            throw new DriverException(DriverErrorKind.NotFound, $"there is no cell {cell.Id}, or it has ended");
        }

        if (state == InstanceState.Pending)
        {
            throw new DriverException(DriverErrorKind.Transient, $"cell {cell.Id} does not run yet");
        }
    }

    /// <summary>The file or block device itself.</summary>
    private static string Resolve(string path)
    {
        if (Directory.Exists(path))
        {
            throw Invalid($"{path} is a directory; local cells take disk images and block devices as volumes");
        }

        if (!File.Exists(path))
        {
            throw new DriverException(DriverErrorKind.NotFound, $"there is no disk image or block device {path} on this machine");
        }

        return new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;
    }

    private static string NoteOf(InstanceDirectory cell, string path) =>
        Path.Combine(cell.VolumesDirectory, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..32]);

    private static string[] Notes(InstanceDirectory cell)
    {
        try
        {
            return Directory.Exists(cell.VolumesDirectory) ? Directory.GetFiles(cell.VolumesDirectory) : [];
        }
        catch (DirectoryNotFoundException)
        {
            return []; // removed just now
        }
    }

    private static IEnumerable<string> Held(InstanceDirectory cell) => Notes(cell).Select(File.ReadAllText);

    private async Task ReleaseNoteAsync(string note, CancellationToken cancellationToken)
    {
        if (!File.Exists(note))
        {
            return;
        }

        var file = await File.ReadAllTextAsync(note, cancellationToken);
        var start = timeProvider.GetTimestamp();
        // A device that is open still (a mount namespace ends a moment after its last process) goes when it is closed.
        while (LoopDevices.Of(file) is { Count: > 0 } devices)
        {
            if (timeProvider.GetElapsedTime(start) > LoopPatience)
            {
                throw new DriverException(DriverErrorKind.Transient, $"{file} stays in use by {devices[0]}");
            }

            try
            {
                await Command.RunAsync("losetup", ["--detach", .. devices], "", timeProvider, cancellationToken);
            }
            catch (DriverException) when (LoopDevices.Of(file).Count == 0)
            {
                // It went just now.
            }

            await Task.Delay(Pause, timeProvider, cancellationToken);
        }

        File.Delete(note);
    }
}
