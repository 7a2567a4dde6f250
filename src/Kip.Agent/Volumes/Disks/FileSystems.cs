namespace Kip.Agent.Volumes.Disks;

/// <summary>Makes, checks and mounts the file systems of disks, by the rules of the kubelet (k8s.io/mount-utils, SafeFormatAndMount).</summary>
internal sealed class FileSystems(RunCommand run)
{
    private const string Default = "ext4";
    private const string Unknown = "unknown data";
    private const int NothingFound = 2; // blkid
    private const int Uncorrected = 4; // fsck, one bit of several; all others do not keep a volume from being mounted

    /// <summary>
    /// Mounts a disk; first makes the file system if there is nothing on it, and checks it if there is. What has a signature of any kind is
    /// never formatted.
    /// </summary>
    /// <param name="device">The device.</param>
    /// <param name="target">Where to mount it: a directory.</param>
    /// <param name="fsType">The file system; empty for the one that is there, ext4 when there is none.</param>
    /// <param name="options">Options for mounting it.</param>
    /// <param name="readOnly">Whether nothing may be written.</param>
    /// <exception cref="VolumeException">One of the steps fails.</exception>
    public void Mount(string device, string target, string fsType, IReadOnlyList<string> options, bool readOnly)
    {
        var found = Probe(device);
        if (found is null)
        {
            if (readOnly)
            {
                throw new VolumeException($"cannot mount unformatted disk {device}: it is to be mounted read-only");
            }

            Format(device, fsType.Length > 0 ? fsType : Default);
        }
        else if (!readOnly)
        {
            Check(device);
        }

        var type = fsType.Length > 0 ? fsType : found?.StartsWith(Unknown, StringComparison.Ordinal) == false ? found : Default;
        var result = run("mount", "-t", type, "-o", string.Join(',', [readOnly ? "ro" : "rw", .. options]), device, target);
        if (result.ExitCode != 0)
        {
            throw new VolumeException(
                found is not null && found != type
                    ? $"failed to mount the volume as \"{type}\", it already contains {found}: {result.Words}"
                    : $"mount of {device} failed: {result.Words}");
        }
    }

    /// <summary>Mounts an NFS export.</summary>
    /// <exception cref="VolumeException">It cannot be mounted.</exception>
    public void MountNfs(string server, string path, string target, IReadOnlyList<string> options, bool readOnly)
    {
        var host = server.Contains(':', StringComparison.Ordinal) && !server.StartsWith('[') ? $"[{server}]" : server;
        var result = run("mount", "-t", "nfs", "-o", string.Join(',', [readOnly ? "ro" : "rw", .. options]), $"{host}:{path}", target);
        if (result.ExitCode != 0)
        {
            var hint = result.Words.Contains("mount.", StringComparison.Ordinal) ? " (the cell's image needs nfs-common)" : "";
            throw new VolumeException($"mount of NFS export {host}:{path} failed: {result.Words}{hint}");
        }
    }

    /// <summary>What is on a device: a file system's name, or in words what else; null for nothing.</summary>
    private string? Probe(string device)
    {
        try
        {
            // For a device that it cannot read blkid says the same as for one with nothing on it.
            using var readable = File.OpenHandle(device);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"{device} cannot be read: {e.Message}", e);
        }

        var result = run("blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", device);
        if (result is { ExitCode: NothingFound, Errors.Length: 0 })
        {
            return null;
        }

        if (result.ExitCode != 0)
        {
            // Two signatures at once, or a device that cannot be read: nobody knows what a format would destroy.
            throw new VolumeException($"blkid does not know what is on {device} (exit code {result.ExitCode}): {result.Words}");
        }

        var found = result.Output.Split('\n').Select(static line => line.Split('=', 2)).Where(static pair => pair.Length == 2).ToDictionary(static pair => pair[0], static pair => pair[1].Trim());
        return found.TryGetValue("TYPE", out var type) ? type
            : found.TryGetValue("PTTYPE", out var table) ? $"{Unknown}, probably partitions ({table})"
            : null;
    }

    private void Format(string device, string type)
    {
        var result = type switch
        {
            "ext2" or "ext3" or "ext4" => run($"mkfs.{type}", "-F", "-m0", device),
            "xfs" => run("mkfs.xfs", "-f", device),
            _ => run($"mkfs.{type}", device),
        };
        if (result.ExitCode != 0)
        {
            throw new VolumeException($"format of disk {device} failed: type:(\"{type}\") exit code {result.ExitCode}: {result.Words}");
        }
    }

    private void Check(string device)
    {
        var result = run("fsck", "-a", device);
        if ((result.ExitCode & Uncorrected) != 0)
        {
            throw new VolumeException($"'fsck' found errors on device {device} but could not correct them: {result.Words}");
        }
    }
}
