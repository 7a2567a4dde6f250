using System.Runtime.InteropServices;
using Kip.Agents.Protocol;

namespace Kip.Agent.Statistics;

/// <summary>How full file systems are, and what directories take of them.</summary>
internal static partial class DiskReader
{
    /// <summary>A whole file system.</summary>
    /// <param name="path">Anything on it.</param>
    /// <param name="now">The time.</param>
    /// <returns>Null when there is no such path.</returns>
    public static FileSystemUsage? FileSystem(string path, DateTimeOffset now)
    {
        if (Statvfs(path, out var disk) != 0)
        {
            return null;
        }

        return new FileSystemUsage
        {
            TimeUnixMs = now.ToUnixTimeMilliseconds(),
            UsedBytes = (long)((disk.Blocks - disk.FreeBlocks) * disk.FragmentSize),
            CapacityBytes = (long)(disk.Blocks * disk.FragmentSize),
            AvailableBytes = (long)(disk.AvailableBlocks * disk.FragmentSize),
            InodesUsed = (long)(disk.Files - disk.FreeFiles),
            Inodes = (long)disk.Files,
            InodesFree = (long)disk.FreeFiles,
        };
    }

    /// <summary>The same with only what is named counted as used.</summary>
    public static FileSystemUsage Part(FileSystemUsage? whole, long usedBytes, long inodesUsed, DateTimeOffset now)
    {
        var part = whole?.Clone() ?? new FileSystemUsage { TimeUnixMs = now.ToUnixTimeMilliseconds() };
        part.UsedBytes = usedBytes;
        part.InodesUsed = inodesUsed;
        return part;
    }

    /// <summary>The bytes and the number of files below a directory; nothing when there is none.</summary>
    public static (long Bytes, long Files) Directory(string path)
    {
        var (bytes, files) = (0L, 0L);
        try
        {
            foreach (var file in new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories))
            {
                // A file that was removed after it was listed has no length.
                bytes += file.Exists ? file.Length : 0;
                files++;
            }
        }
        catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException)
        {
            // Not there yet, or removed while it was counted.
        }

        return (bytes, files);
    }

    [LibraryImport("libc", EntryPoint = "statvfs", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statvfs(string path, out StatvfsBuffer result);

    /// <summary>struct statvfs of a 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct StatvfsBuffer
    {
        public ulong BlockSize;
        public ulong FragmentSize;
        public ulong Blocks;
        public ulong FreeBlocks;
        public ulong AvailableBlocks;
        public ulong Files;
        public ulong FreeFiles;
        public ulong AvailableFiles;
        public ulong Id;
        public ulong Flags;
        public ulong LongestName;
        public ulong Reserved1;
        public ulong Reserved2;
        public ulong Reserved3;
    }
}
