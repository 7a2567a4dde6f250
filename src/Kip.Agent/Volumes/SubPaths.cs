using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Microsoft.Win32.SafeHandles;

namespace Kip.Agent.Volumes;

/// <summary>
/// Mounts of a part of a volume. The runtime would follow a link that a container has put into the volume to anywhere on the cell, so the
/// part is opened here, below the volume's root, and mounted where no container can reach; the runtime is given that place.
/// </summary>
internal static class SubPaths
{
    /// <summary>The path below the volume's root, or null when the whole volume is mounted.</summary>
    /// <exception cref="VolumeException">It is absolute, has <c>..</c> in it or refers to a variable that is not there.</exception>
    public static string? Of(VolumeMount mount, IEnumerable<KeyValuePair<string, string>> environment)
    {
        var path = mount.SubPath;
        if (mount.SubPathExpr is { Length: > 0 } expression)
        {
            path = ContainerExpansion.Expand(expression, environment.ToDictionary(StringComparer.Ordinal));
            if (path.Contains("$(", StringComparison.Ordinal))
            {
                throw new VolumeException($"subPathExpr '{expression}' refers to a variable that the container does not have");
            }

            if (path.Length == 0)
            {
                throw new VolumeException($"subPathExpr '{expression}' is empty once its variables are put in");
            }
        }

        if (string.IsNullOrEmpty(path))
        {
            return null;
        }

        return !path.StartsWith('/') && !path.Split('/').Contains("..")
            ? path
            : throw new VolumeException($"subPath '{path}' must be a relative path without '..'");
    }

    /// <summary>Mounts a part of a volume, made as a directory where it is missing.</summary>
    /// <param name="volume">The volume's root.</param>
    /// <param name="subPath">From <see cref="Of"/>.</param>
    /// <param name="target">Where to mount it; what was mounted there before is taken away.</param>
    /// <exception cref="IOException">It leads out of the volume, or cannot be made or mounted.</exception>
    public static void Bind(string volume, string subPath, string target)
    {
        using var root = LinuxCalls.OpenDirectory(volume);
        using var source = OpenOrMake(root, subPath);
        MakeTarget(target, LinuxCalls.Status(source).Type == LinuxCalls.Directory);
        LinuxCalls.BindMount(source, target);
    }

    /// <summary>Makes what something can be mounted on; what was mounted there before is taken away.</summary>
    public static void MakeTarget(string target, bool isDirectory)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        Release(target);
        if (isDirectory)
        {
            Directory.CreateDirectory(target);
        }
        else
        {
            File.WriteAllBytes(target, []);
        }
    }

    private static void Release(string target)
    {
        while (MountTable.IsMounted(target))
        {
            LinuxCalls.Unmount(target);
        }

        if (Directory.Exists(target))
        {
            Directory.Delete(target);
        }
        else
        {
            File.Delete(target);
        }
    }

    private static SafeFileHandle OpenOrMake(SafeFileHandle root, string subPath)
    {
        var mode = LinuxCalls.Status(root).Permissions;
        var path = ".";
        var current = LinuxCalls.OpenBeneath(root, path)!;
        foreach (var part in subPath.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            path = $"{path}/{part}";
            using var parent = current;
            current = LinuxCalls.OpenBeneath(root, path) ?? Make(root, parent, part, path, mode);
        }

        return current;
    }

    private static SafeFileHandle Make(SafeFileHandle root, SafeFileHandle parent, string name, string path, int mode)
    {
        LinuxCalls.MakeDirectory(parent, name, mode);
        var made = LinuxCalls.OpenBeneath(root, path)
            ?? throw new IOException($"{path} is a link that leads nowhere");
        // The process has a umask; this does not heed it.
        File.SetUnixFileMode(LinuxCalls.PathOf(made), (UnixFileMode)mode);
        return made;
    }
}
