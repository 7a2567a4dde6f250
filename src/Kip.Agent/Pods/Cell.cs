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

    /// <summary>Memory in bytes, for the out-of-memory score.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Where the cell's own resolver configuration lies.</summary>
    public string ResolvConf { get; init; } = "/etc/resolv.conf";
}
