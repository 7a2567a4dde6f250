using System.IO.Enumeration;
using Kip.Agent.Volumes;

namespace Kip.Agent.Storage;

/// <summary>What a directory takes of its disk, as <c>du -x</c> counts.</summary>
internal static class DiskUsage
{
    private static readonly EnumerationOptions _all = new() { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = 0 };

    /// <summary>Bytes; 0 when there is no such directory. Containers write in it: no link is followed, no other file system entered.</summary>
    public static long Of(string directory, CancellationToken cancellationToken)
    {
        if (LinuxCalls.Allocation(directory) is not { } root)
        {
            return 0;
        }

        var bytes = root.Bytes;
        var linked = new HashSet<ulong>();
        var paths = new FileSystemEnumerable<string>(directory, static (ref FileSystemEntry entry) => entry.ToFullPath(), _all)
        {
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                !entry.Attributes.HasFlag(FileAttributes.ReparsePoint) && LinuxCalls.Allocation(entry.ToFullPath())?.Device == root.Device,
        };
        foreach (var path in paths)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // One that is gone since it was listed takes nothing.
            if (LinuxCalls.Allocation(path) is { } file && file.Device == root.Device && (file.Links < 2 || linked.Add(file.Inode)))
            {
                bytes += file.Bytes;
            }
        }

        return bytes;
    }
}
