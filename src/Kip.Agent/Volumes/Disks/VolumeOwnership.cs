namespace Kip.Agent.Volumes.Disks;

/// <summary>
/// Gives what lies on a volume to the pod's group, by the rules of the kubelet: every file readable and writable for it, every directory
/// also to be entered, and what is made in them later belongs to it too.
/// </summary>
internal static class VolumeOwnership
{
    private const UnixFileMode ReadWrite = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private const UnixFileMode DirectoryOnly = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.SetGroup;

    /// <summary>Changes a volume. Nothing may write to it meanwhile.</summary>
    /// <param name="root">Its root.</param>
    /// <param name="group">The group.</param>
    /// <param name="onRootMismatch">Whether nothing is to be done when the root is right: a volume with many files is ready sooner.</param>
    /// <exception cref="IOException">Something cannot be changed.</exception>
    public static void Apply(string root, uint group, bool onRootMismatch)
    {
        const UnixFileMode wanted = ReadWrite | DirectoryOnly;
        var status = LinuxCalls.Status(root) ?? throw new IOException($"{root} is not there");
        if (onRootMismatch && status.Group == group && ((UnixFileMode)status.Permissions & wanted) == wanted)
        {
            return;
        }

        // The root last: it is right only when all below it is, whatever interrupts this.
        ApplyBelow(new DirectoryInfo(root), group);
        Change(new DirectoryInfo(root), group);
    }

    private static void ApplyBelow(DirectoryInfo directory, uint group)
    {
        foreach (var entry in directory.EnumerateFileSystemInfos())
        {
            if (entry is DirectoryInfo below && entry.LinkTarget is null)
            {
                ApplyBelow(below, group);
            }

            Change(entry, group);
        }
    }

    private static void Change(FileSystemInfo entry, uint group)
    {
        LinuxCalls.SetOwner(entry.FullName, null, group);
        if (entry.LinkTarget is null)
        {
            // Read after the change of the owner, which takes some bits away.
            var mode = (UnixFileMode)(LinuxCalls.Status(entry.FullName)?.Permissions ?? 0);
            File.SetUnixFileMode(entry.FullName, mode | ReadWrite | (entry is DirectoryInfo ? DirectoryOnly : 0));
        }
    }
}
