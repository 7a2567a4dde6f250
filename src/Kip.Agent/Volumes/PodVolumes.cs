using System.Globalization;
using Kip.Agent.Pods;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.Volumes.Disks;
using Kip.Agents.Protocol;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;
using Mount = Kip.Agent.Runtime.Cri.Mount;

namespace Kip.Agent.Volumes;

/// <summary>
/// The pod's volumes on the cell. Contents that come from API objects or from the pod lie on tmpfs, a mount for each volume; what a
/// container may fill, on the cell's disk unless it asks for memory. Everything is safe to repeat, and needs no memory of having been done.
/// </summary>
internal sealed class PodVolumes(Cell cell, TimeProvider time, PersistentVolumes persistent)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Anyone = (UnixFileMode)0b111_111_111;

    // Container starts and new contents come side by side.
    private readonly Lock _lock = new();

    /// <summary>Whether a volume's files are resolved by the controller.</summary>
    public static bool IsResolved(Volume volume) =>
        volume.ConfigMap is not null || volume.Secret is not null || volume.Projected?.Sources?.Exists(static source => source.DownwardAPI is null) == true;

    /// <summary>Makes the volumes that are missing, and gives the others their newest contents.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="contents">Of every resolved volume; null when an earlier run of the agent was given them, and only that.</param>
    /// <param name="podIP">For downward API files; empty when not known.</param>
    /// <param name="claims">What claims are bound to.</param>
    /// <exception cref="VolumeException">One cannot be made; the message names it.</exception>
    public void SetUp(Pod pod, IReadOnlyList<ResolvedVolume>? contents, string podIP, IReadOnlyList<PersistentVolumeMount> claims)
    {
        lock (_lock)
        {
            foreach (var volume in pod.Spec.Volumes ?? [])
            {
                try
                {
                    SetUp(pod, volume, contents, podIP, claims);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or VolumeException)
                {
                    throw new VolumeException($"MountVolume.SetUp failed for volume \"{volume.Name}\" : {e.Message}", e);
                }
            }
        }
    }

    /// <summary>The mounts of one run of a container, in its order.</summary>
    /// <param name="pod">The pod, whose volumes are set up.</param>
    /// <param name="container">One of its containers.</param>
    /// <param name="environment">Its environment, for <c>subPathExpr</c>.</param>
    /// <exception cref="VolumeException">A mount cannot be made as it is written.</exception>
    public List<Mount> Mounts(Pod pod, Container container, IReadOnlyList<KeyValuePair<string, string>> environment)
    {
        var mounts = new List<Mount>();
        lock (_lock)
        {
            for (var i = 0; i < (container.VolumeMounts?.Count ?? 0); i++)
            {
                var mount = container.VolumeMounts![i];
                var volume = pod.Spec.Volumes?.Find(each => each.Name == mount.Name)
                    ?? throw new VolumeException($"volumeMounts[{i}]: the pod has no volume '{mount.Name}'");
                mounts.Add(new Mount
                {
                    ContainerPath = mount.MountPath.StartsWith('/') ? mount.MountPath : $"/{mount.MountPath}",
                    HostPath = Source(pod, container, volume, mount, i, environment),
                    Readonly = mount.ReadOnly == true || HasContents(volume) || PersistentVolumes.IsReadOnly(volume),
                    Propagation = mount.MountPropagation switch
                    {
                        "Bidirectional" => MountPropagation.PropagationBidirectional,
                        "HostToContainer" => MountPropagation.PropagationHostToContainer,
                        _ => MountPropagation.PropagationPrivate,
                    },
                });
            }
        }

        return mounts;
    }

    /// <summary>The devices of one run of a container.</summary>
    /// <param name="pod">The pod, whose volumes are set up.</param>
    /// <param name="container">One of its containers.</param>
    /// <exception cref="VolumeException">A device is not there.</exception>
    public List<Device> Devices(Pod pod, Container container)
    {
        var devices = new List<Device>();
        foreach (var device in container.VolumeDevices ?? [])
        {
            var volume = pod.Spec.Volumes?.Find(each => each.Name == device.Name) ?? throw new VolumeException($"volumeDevices: the pod has no volume '{device.Name}'");
            devices.Add(new Device
            {
                ContainerPath = device.DevicePath,
                HostPath = PersistentVolumes.DeviceOf(DirectoryOf(pod, volume)),
                Permissions = PersistentVolumes.IsReadOnly(volume) ? "r" : "mrw",
            });
        }

        return devices;
    }

    /// <summary>
    /// Unmounts everything but the disks that claims are bound to, secrets with it. What lies on the cell's own disk goes with the cell, which
    /// runs no other pod.
    /// </summary>
    /// <param name="pod">The pod.</param>
    /// <param name="claims">What claims are bound to.</param>
    /// <returns>The disks that are still mounted, for <see cref="PersistentVolumes.UnmountAsync"/>.</returns>
    /// <exception cref="IOException">Something stays mounted.</exception>
    public IReadOnlyList<string> TearDown(Pod pod, IReadOnlyList<PersistentVolumeMount> claims)
    {
        var disks = (pod.Spec.Volumes ?? []).Where(volume => claims.Any(claim => claim.Name == volume.Name && claim.Device is not null))
            .Select(volume => DirectoryOf(pod, volume)).ToHashSet(StringComparer.Ordinal);
        lock (_lock)
        {
            var mounted = Enumerable.Reverse(MountTable.Below(Root(pod))).ToList();
            foreach (var other in mounted.Where(directory => !disks.Contains(directory)))
            {
                LinuxCalls.Unmount(other);
            }

            return [.. mounted.Where(disks.Contains)];
        }
    }

    /// <inheritdoc cref="PersistentVolumes.UnmountAsync"/>
    public Task UnmountDiskAsync(string directory, CancellationToken cancellationToken) => persistent.UnmountAsync(directory, cancellationToken);

    /// <summary>Where a volume that is no <c>hostPath</c> lies.</summary>
    public string DirectoryOf(Pod pod, Volume volume) => Path.Combine(Root(pod), "volumes", volume.Name);

    private static bool HasContents(Volume volume) => IsResolved(volume) || volume.DownwardAPI is not null || volume.Projected is not null;

    private void SetUp(Pod pod, Volume volume, IReadOnlyList<ResolvedVolume>? contents, string podIP, IReadOnlyList<PersistentVolumeMount> claims)
    {
        var group = (uint?)pod.Spec.SecurityContext?.FsGroup;
        var directory = DirectoryOf(pod, volume);
        if (volume.HostPath is { } hostPath)
        {
            HostPaths.Prepare(hostPath);
        }
        else if (PersistentVolumes.Is(volume))
        {
            persistent.SetUp(volume, claims.FirstOrDefault(claim => claim.Name == volume.Name), pod.Spec.SecurityContext, directory);
        }
        else if (HasContents(volume))
        {
            EnsureTmpfs(directory, group, sizeBytes: null);
            SetContents(pod, volume, contents, podIP, directory, group);
        }
        else if (volume.EmptyDir?.Medium == "Memory")
        {
            EnsureTmpfs(directory, group, MemorySize(pod, volume.EmptyDir));
        }
        else if (HugePages.IsMedium(volume.EmptyDir?.Medium))
        {
            EnsureMounted(
                directory,
                group,
                options => LinuxCalls.MountHugePages(
                    directory, string.Create(CultureInfo.InvariantCulture, $"{options},pagesize={HugePages.SizeOf(pod, volume.EmptyDir!)}")));
        }
        else
        {
            EnsureDirectory(directory, group);
        }
    }

    private void SetContents(
        Pod pod, Volume volume, IReadOnlyList<ResolvedVolume>? contents, string podIP, string directory, uint? group)
    {
        var resolved = contents?.FirstOrDefault(each => each.Name == volume.Name);
        if (IsResolved(volume) && resolved is null)
        {
            // Given to an earlier run of the agent, which had no time to write them: the controller gives them again when it connects.
            if (!AtomicDirectory.IsWritten(directory))
            {
                throw new VolumeException("its contents have not come from the controller yet");
            }

            return;
        }

        var files = (resolved?.Files ?? []).Select(file => new VolumeFile(file.Path, file.Data.Memory, file.Mode, (uint)file.Owner));
        AtomicDirectory.Write(directory, files.Concat(DownwardFiles.Of(volume, pod, podIP, cell)), group, time.GetUtcNow());
    }

    private static void EnsureTmpfs(string directory, uint? group, long? sizeBytes) => EnsureMounted(
        directory,
        group,
        options => LinuxCalls.MountTmpfs(
            directory, sizeBytes is null ? options : string.Create(CultureInfo.InvariantCulture, $"{options},size={sizeBytes}")));

    private static void EnsureMounted(string directory, uint? group, Action<string> mount)
    {
        if (MountTable.IsMounted(directory))
        {
            return;
        }

        Directory.CreateDirectory(directory, OwnerOnly);
        mount(group is null ? "mode=0777" : string.Create(CultureInfo.InvariantCulture, $"mode=2777,gid={group}"));
    }

    private static void EnsureDirectory(string directory, uint? group)
    {
        if (Directory.Exists(directory))
        {
            return;
        }

        // Under its name only once it is complete: one that is there is the containers' and is not touched.
        var unfinished = $"{directory}.new";
        Directory.CreateDirectory(unfinished, OwnerOnly);
        LinuxCalls.SetOwner(unfinished, null, group);
        File.SetUnixFileMode(unfinished, group is null ? Anyone : Anyone | UnixFileMode.SetGroup);
        Directory.Move(unfinished, directory);
    }

    /// <summary>The least of the volume's limit, what the containers may take together, and what the cell has.</summary>
    private long MemorySize(Pod pod, EmptyDirVolumeSource source)
    {
        var size = cell.MemoryBytes;
        if (source.SizeLimit is { Sign: > 0 } limit)
        {
            size = Math.Min(size, limit.ToInt64Ceiling());
        }

        var limits = pod.Spec.Containers
            .Select(container => container.Resources?.Limits is { } each && each.TryGetValue("memory", out var memory) ? memory.ToInt64Ceiling() : 0)
            .ToList();
        return limits.TrueForAll(each => each > 0) ? Math.Min(size, limits.Sum()) : size;
    }

    private string Source(
        Pod pod, Container container, Volume volume, VolumeMount mount, int index, IReadOnlyList<KeyValuePair<string, string>> environment)
    {
        if (volume.HostPath is { } hostPath)
        {
            // Again for each run: it may have vanished since the last one, and the runtime would make an empty directory in its place.
            HostPaths.Prepare(hostPath);
        }

        var root = volume.HostPath?.Path ?? DirectoryOf(pod, volume);
        var source = SubPaths.Of(mount, environment) is { } subPath ? SubPath(pod, container, root, subPath, mount, index) : root;
        if (!ReadOnlyTrees.IsWanted(mount))
        {
            return source;
        }

        var target = Own(pod, "readonly", container, index);
        ReadOnlyTrees.Mount(source, target);
        return target;
    }

    private string SubPath(Pod pod, Container container, string root, string subPath, VolumeMount mount, int index)
    {
        var target = Own(pod, "subpaths", container, index);
        try
        {
            SubPaths.Bind(root, subPath, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"failed to prepare subPath '{subPath}' for volumeMount \"{mount.Name}\" of container \"{container.Name}\": {e.Message}", e);
        }

        return target;
    }

    /// <summary>A place for one mount of one container.</summary>
    private string Own(Pod pod, string kind, Container container, int index) =>
        Path.Combine(Root(pod), kind, container.Name, index.ToString(CultureInfo.InvariantCulture));

    private string Root(Pod pod) => Path.Combine(cell.VolumeDirectory, PodIdentity.Uid(pod));
}
