namespace Kip.Agents;

/// <summary>What the pod and its cell use. What could not be measured is null.</summary>
public sealed record PodStatistics
{
    /// <summary>The pod; empty when the cell has none yet.</summary>
    public required string PodUid { get; init; }

    /// <summary>The containers that run, init containers and ephemeral ones included.</summary>
    public required IReadOnlyList<ContainerStatistics> Containers { get; init; }

    /// <summary>All processes of the pod together.</summary>
    public CpuStatistics? Cpu { get; init; }

    /// <inheritdoc cref="Cpu"/>
    public MemoryStatistics? Memory { get; init; }

    /// <summary>The pod's network namespace; the cell's own with hostNetwork.</summary>
    public NetworkStatistics? Network { get; init; }

    /// <summary>Writable layers and logs of all containers together; capacity and inodes are those of the cell's disk.</summary>
    public FileSystemStatistics? EphemeralStorage { get; init; }

    /// <summary>Processes in the pod's containers.</summary>
    public long? ProcessCount { get; init; }

    /// <summary>The cell, whatever it runs beside the pod.</summary>
    public required CellStatistics Cell { get; init; }
}

/// <summary>What one container uses.</summary>
public sealed record ContainerStatistics
{
    /// <summary>As in the pod.</summary>
    public required string Name { get; init; }

    /// <summary>When the run began that is measured.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>Processor time.</summary>
    public CpuStatistics? Cpu { get; init; }

    /// <summary>Memory.</summary>
    public MemoryStatistics? Memory { get; init; }

    /// <summary>What it wrote over its image; capacity and inodes are those of the cell's disk.</summary>
    public FileSystemStatistics? RootFileSystem { get; init; }

    /// <summary>Its log files; capacity and inodes are those of the disk they lie on.</summary>
    public FileSystemStatistics? Logs { get; init; }
}

/// <summary>What the cell uses beside the pod too: the whole machine, or that part of it which is a local cell.</summary>
public sealed record CellStatistics
{
    /// <summary>When the machine was started.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>All processors together.</summary>
    public CpuStatistics? Cpu { get; init; }

    /// <summary>Memory.</summary>
    public MemoryStatistics? Memory { get; init; }

    /// <summary>The cell's own interfaces.</summary>
    public NetworkStatistics? Network { get; init; }

    /// <summary>The disk that images and writable layers lie on.</summary>
    public FileSystemStatistics? FileSystem { get; init; }
}

/// <summary>Processor time.</summary>
/// <param name="Time">When it was measured, by the cell's clock.</param>
/// <param name="UsageNanoCores">Billionths of a core, on average since a measurement some seconds before; null when there was none.</param>
/// <param name="UsageCoreNanoSeconds">Since the start, in billionths of a second of one core.</param>
public sealed record CpuStatistics(DateTimeOffset Time, long? UsageNanoCores, long UsageCoreNanoSeconds);

/// <summary>Memory, in bytes.</summary>
/// <param name="Time">When it was measured, by the cell's clock.</param>
/// <param name="WorkingSetBytes">In use and not to be reclaimed at once: what counts against a limit.</param>
/// <param name="UsageBytes">In use, caches included.</param>
/// <param name="RssBytes">Anonymous memory.</param>
/// <param name="AvailableBytes">What is left below the limit; null without one.</param>
/// <param name="PageFaults">Since the start.</param>
/// <param name="MajorPageFaults">Those that had to read from a disk.</param>
public sealed record MemoryStatistics(
    DateTimeOffset Time, long WorkingSetBytes, long UsageBytes, long RssBytes, long? AvailableBytes, long? PageFaults, long? MajorPageFaults);

/// <summary>The interfaces of a network namespace, without loopback.</summary>
/// <param name="Time">When it was measured, by the cell's clock.</param>
/// <param name="Interfaces">The first is the one with the pod's traffic.</param>
public sealed record NetworkStatistics(DateTimeOffset Time, IReadOnlyList<InterfaceStatistics> Interfaces);

/// <summary>The counters of one interface.</summary>
/// <param name="Name">For example <c>eth0</c>.</param>
/// <param name="ReceivedBytes">Since it was made.</param>
/// <param name="ReceiveErrors">Since it was made.</param>
/// <param name="SentBytes">Since it was made.</param>
/// <param name="SendErrors">Since it was made.</param>
public sealed record InterfaceStatistics(string Name, long ReceivedBytes, long ReceiveErrors, long SentBytes, long SendErrors);

/// <summary>Disk space.</summary>
/// <param name="Time">When it was measured, by the cell's clock.</param>
/// <param name="UsedBytes">By what is described.</param>
/// <param name="CapacityBytes">Of the whole file system.</param>
/// <param name="AvailableBytes">Left in the file system.</param>
/// <param name="InodesUsed">By what is described.</param>
/// <param name="Inodes">Of the whole file system.</param>
/// <param name="InodesFree">Left in the file system.</param>
public sealed record FileSystemStatistics(
    DateTimeOffset Time, long UsedBytes, long? CapacityBytes, long? AvailableBytes, long? InodesUsed, long? Inodes, long? InodesFree);
