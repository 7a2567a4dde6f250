using Kip.Agents.Protocol;

namespace Kip.Agents;

/// <summary>From the agent's message to what the rest of Kip knows.</summary>
internal static class StatisticsWire
{
    public static PodStatistics Read(GetStatisticsReply reply) => new()
    {
        PodUid = reply.PodUid,
        Containers = [.. reply.Containers.Select(Read)],
        Cpu = Read(reply.Cpu),
        Memory = Read(reply.Memory),
        Network = Read(reply.Network),
        EphemeralStorage = Read(reply.EphemeralStorage),
        ProcessCount = reply.HasProcessCount ? reply.ProcessCount : null,
        Cell = reply.Cell is { } cell
            ? new CellStatistics
            {
                StartTime = cell.HasStartUnixMs ? Time(cell.StartUnixMs) : null,
                Cpu = Read(cell.Cpu),
                Memory = Read(cell.Memory),
                Network = Read(cell.Network),
                FileSystem = Read(cell.FileSystem),
            }
            : new CellStatistics(),
    };

    private static ContainerStatistics Read(ContainerUsage container) => new()
    {
        Name = container.Name,
        StartTime = container.HasStartUnixMs ? Time(container.StartUnixMs) : null,
        Cpu = Read(container.Cpu),
        Memory = Read(container.Memory),
        RootFileSystem = Read(container.RootFileSystem),
        Logs = Read(container.Logs),
    };

    private static CpuStatistics? Read(CpuUsage? cpu) => cpu is null
        ? null
        : new CpuStatistics(Time(cpu.TimeUnixMs), cpu.HasUsageNanoCores ? cpu.UsageNanoCores : null, cpu.UsageCoreNanoSeconds);

    private static MemoryStatistics? Read(MemoryUsage? memory) => memory is null
        ? null
        : new MemoryStatistics(
            Time(memory.TimeUnixMs),
            memory.WorkingSetBytes,
            memory.UsageBytes,
            memory.RssBytes,
            memory.HasAvailableBytes ? memory.AvailableBytes : null,
            memory.HasPageFaults ? memory.PageFaults : null,
            memory.HasMajorPageFaults ? memory.MajorPageFaults : null);

    private static NetworkStatistics? Read(NetworkUsage? network) => network is null
        ? null
        : new NetworkStatistics(
            Time(network.TimeUnixMs),
            [.. network.Interfaces.Select(each =>
                new InterfaceStatistics(each.Name, each.ReceivedBytes, each.ReceiveErrors, each.SentBytes, each.SendErrors))]);

    private static FileSystemStatistics? Read(FileSystemUsage? usage) => usage is null
        ? null
        : new FileSystemStatistics(
            Time(usage.TimeUnixMs),
            usage.UsedBytes,
            usage.HasCapacityBytes ? usage.CapacityBytes : null,
            usage.HasAvailableBytes ? usage.AvailableBytes : null,
            usage.HasInodesUsed ? usage.InodesUsed : null,
            usage.HasInodes ? usage.Inodes : null,
            usage.HasInodesFree ? usage.InodesFree : null);

    private static DateTimeOffset Time(long unixMilliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds);
}
