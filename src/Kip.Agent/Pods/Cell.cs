namespace Kip.Agent.Pods;

/// <summary>What the pod worker must know of the machine it runs on.</summary>
internal sealed record Cell
{
    /// <summary>Above the pods' log directories.</summary>
    public required string LogDirectory { get; init; }

    /// <summary>The cgroup above the pod's.</summary>
    public required string CgroupParent { get; init; }

    /// <summary>The cell's own address, which the pod reads as <c>status.hostIP</c>.</summary>
    public required string HostIP { get; init; }

    /// <summary>Above the pod's volumes; on the cell's disk.</summary>
    public required string VolumeDirectory { get; init; }

    /// <summary>Memory in bytes, for the out-of-memory score and for pods that ask.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Processors, for pods that ask.</summary>
    public int Processors { get; init; } = Environment.ProcessorCount;

    /// <summary>Where the cell's own resolver configuration lies.</summary>
    public string ResolvConf { get; init; } = "/etc/resolv.conf";

    /// <summary>Where seccomp profiles of type Localhost lie; the kubelet's place, so that images made for nodes serve for cells.</summary>
    public string SeccompDirectory { get; init; } = "/var/lib/kubelet/seccomp";

    /// <summary>Where the hierarchies of control groups are mounted.</summary>
    public string CgroupRoot { get; init; } = "/sys/fs/cgroup";

    /// <summary>Where the kernel tells of its huge pages.</summary>
    public string HugePagesDirectory { get; init; } = "/sys/kernel/mm/hugepages";

    /// <summary>Size in bytes of the disk that containers write to, for pods that ask.</summary>
    public long DiskBytes() => new DriveInfo(Directory.CreateDirectory(VolumeDirectory).FullName).TotalSize;
}
