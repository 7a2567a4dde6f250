using Kip.Kubernetes.Objects;

namespace Kip.Agent.Volumes;

/// <summary>
/// Mounts that are read-only with everything mounted below them. Runtimes can do this only since containerd 2.0; so the tree is copied where no
/// container can reach, made read-only as a whole by the kernel, and the runtime is given the copy, whose mounts it cannot make writable.
/// </summary>
internal static class ReadOnlyTrees
{
    /// <summary>mount_setattr(2).</summary>
    private static readonly Version _firstKernel = new(5, 12);

    private static bool IsPossible => Environment.OSVersion.Version >= _firstKernel;

    /// <summary>Whether a mount is to be one.</summary>
    public static bool IsWanted(VolumeMount mount) =>
        mount.ReadOnly == true && (mount.RecursiveReadOnly == "Enabled" || (mount.RecursiveReadOnly == "IfPossible" && IsPossible));

    /// <summary>Mounts a read-only copy of a tree.</summary>
    /// <param name="source">Its root: a directory or a file.</param>
    /// <param name="target">Where to mount it; what was mounted there before is taken away.</param>
    /// <exception cref="VolumeException">The cell's kernel is too old.</exception>
    /// <exception cref="IOException">It cannot be mounted.</exception>
    public static void Mount(string source, string target)
    {
        if (!IsPossible)
        {
            throw new VolumeException($"recursiveReadOnly needs Linux {_firstKernel} on the cell, which has {Environment.OSVersion.Version}");
        }

        var status = LinuxCalls.Status(source) ?? throw new VolumeException($"{source} does not exist");
        SubPaths.MakeTarget(target, status.Type == LinuxCalls.Directory);
        LinuxCalls.MountReadOnlyTree(source, target);
    }
}
