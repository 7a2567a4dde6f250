using System.Globalization;

namespace Kip.Agent.Volumes;

/// <summary>One file of a volume.</summary>
/// <param name="Path">Below the volume's root, with <c>/</c> between its parts.</param>
/// <param name="Data">What it holds.</param>
/// <param name="Mode">Permission bits.</param>
/// <param name="Owner">User id.</param>
internal sealed record VolumeFile(string Path, ReadOnlyMemory<byte> Data, int Mode, uint Owner = 0);

/// <summary>
/// A directory whose files change as one, in the kubelet's layout (k8s.io/kubernetes pkg/volume/util, AtomicWriter), which programs that
/// watch for changes know: the files lie in a directory named after the time, <c>..data</c> is a link to it, and each name at the top is a
/// link through <c>..data</c>. Renaming a new <c>..data</c> over the old one changes them all.
/// </summary>
internal static class AtomicDirectory
{
    private const string Data = "..data";
    private const string NewData = "..data_tmp";
    private const UnixFileMode Anyone = (UnixFileMode)0b111_101_101;

    /// <summary>What a group needs that shall read: on files, on directories.</summary>
    private const UnixFileMode GroupReads = UnixFileMode.GroupRead | UnixFileMode.UserRead;
    private const UnixFileMode GroupEnters = GroupReads | UnixFileMode.GroupExecute | UnixFileMode.UserExecute | UnixFileMode.SetGroup;

    /// <summary>Whether contents were ever written.</summary>
    public static bool IsWritten(string directory) => new FileInfo(Path.Combine(directory, Data)).LinkTarget is not null;

    /// <summary>Makes these the directory's files, of which a later one wins over an earlier one with its path.</summary>
    /// <param name="directory">Must exist.</param>
    /// <param name="files">All files.</param>
    /// <param name="group">The group that owns them and may read them; null for none.</param>
    /// <param name="now">For the name of the directory.</param>
    /// <returns>Whether anything changed.</returns>
    /// <exception cref="IOException">It could not be written; the old contents are still there.</exception>
    public static bool Write(string directory, IEnumerable<VolumeFile> files, uint? group, DateTimeOffset now)
    {
        var wanted = new SortedDictionary<string, VolumeFile>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            wanted[file.Path] = file with { Mode = group is null ? file.Mode : file.Mode | (int)GroupReads };
        }

        var old = new FileInfo(Path.Combine(directory, Data)).LinkTarget;
        if (old is not null && Holds(Path.Combine(directory, old), wanted, group))
        {
            // Whoever wrote them may have been ended before the names were there.
            Link(directory, wanted.Keys);
            return false;
        }

        var name = now.UtcDateTime.ToString("'..'yyyy'_'MM'_'dd'_'HH'_'mm'_'ss'.'", CultureInfo.InvariantCulture);
        RemoveLeftovers(directory, old);
        var fresh = Unused(directory, name);
        Fill(Path.Combine(directory, fresh), wanted.Values, group);
        var link = Path.Combine(directory, NewData);
        File.Delete(link);
        File.CreateSymbolicLink(link, fresh);
        LinuxCalls.Rename(link, Path.Combine(directory, Data));
        Link(directory, wanted.Keys);
        if (old is not null)
        {
            Directory.Delete(Path.Combine(directory, old), recursive: true);
        }

        return true;
    }

    private static bool Holds(string directory, SortedDictionary<string, VolumeFile> wanted, uint? group)
    {
        if (!Directory.Exists(directory))
        {
            return false;
        }

        var present = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(directory, path)).ToHashSet(StringComparer.Ordinal);
        return present.SetEquals(wanted.Keys) && wanted.Values.All(file => IsSame(Path.Combine(directory, file.Path), file, group));
    }

    private static bool IsSame(string path, VolumeFile file, uint? group) =>
        LinuxCalls.Status(path) is { } status
        && (status.Permissions, status.Owner, status.Group) == (file.Mode, file.Owner, group ?? 0)
        && new FileInfo(path).Length == file.Data.Length
        && File.ReadAllBytes(path).AsSpan().SequenceEqual(file.Data.Span);

    private static string Unused(string directory, string prefix)
    {
        for (var i = 0; ; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{prefix}{i}");
            if (!Path.Exists(Path.Combine(directory, name)))
            {
                return name;
            }
        }
    }

    private static void Fill(string directory, IEnumerable<VolumeFile> files, uint? group)
    {
        MakeDirectory(directory, group);
        foreach (var file in files)
        {
            var path = directory;
            var parts = file.Path.Split('/', StringSplitOptions.RemoveEmptyEntries);
            foreach (var part in parts.SkipLast(1))
            {
                path = Path.Combine(path, part);
                if (!Directory.Exists(path))
                {
                    MakeDirectory(path, group);
                }
            }

            path = Path.Combine(path, parts[^1]);
            using (var stream = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                BufferSize = 0,
            }))
            {
                stream.Write(file.Data.Span);
            }

            LinuxCalls.SetOwner(path, file.Owner, group);
            // The process has a umask; this does not heed it.
            File.SetUnixFileMode(path, (UnixFileMode)file.Mode);
        }
    }

    private static void MakeDirectory(string path, uint? group)
    {
        Directory.CreateDirectory(path);
        LinuxCalls.SetOwner(path, null, group);
        File.SetUnixFileMode(path, group is null ? Anyone : Anyone | GroupEnters);
    }

    /// <summary>Makes the names at the top that are missing, and removes those that lead nowhere any more.</summary>
    private static void Link(string directory, IEnumerable<string> paths)
    {
        var names = paths.Select(path => path.Split('/', StringSplitOptions.RemoveEmptyEntries)[0]).ToHashSet(StringComparer.Ordinal);
        foreach (var name in names)
        {
            var link = new FileInfo(Path.Combine(directory, name));
            if (link.LinkTarget is null)
            {
                link.CreateAsSymbolicLink($"{Data}/{name}");
            }
        }

        foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos())
        {
            if (!names.Contains(entry.Name) && entry.LinkTarget == $"{Data}/{entry.Name}")
            {
                entry.Delete();
            }
        }
    }

    /// <summary>Directories that a writer which was ended left behind.</summary>
    private static void RemoveLeftovers(string directory, string? current)
    {
        foreach (var leftover in new DirectoryInfo(directory).EnumerateDirectories("..2*").Where(each => each.Name != current))
        {
            leftover.Delete(recursive: true);
        }
    }
}
