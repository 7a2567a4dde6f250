using Kip.Agents;

namespace Kip.VirtualKubelet.Server;

/// <summary>What all pods of the node use together.</summary>
internal static class NodeUsage
{
    public static CpuStatistics Cpu(IReadOnlyList<PodUsage> usages, DateTimeOffset now)
    {
        var parts = usages.Select(usage => usage.Statistics.Cpu).OfType<CpuStatistics>().ToArray();
        return new(now, parts.Sum(cpu => cpu.UsageNanoCores ?? 0), parts.Sum(cpu => cpu.UsageCoreNanoSeconds));
    }

    public static MemoryStatistics Memory(IReadOnlyList<PodUsage> usages, DateTimeOffset now)
    {
        var parts = usages.Select(usage => usage.Statistics.Memory).OfType<MemoryStatistics>().ToArray();
        return new(
            now,
            parts.Sum(memory => memory.WorkingSetBytes),
            parts.Sum(memory => memory.UsageBytes),
            parts.Sum(memory => memory.RssBytes),
            AvailableBytes: null,
            PageFaults: null,
            MajorPageFaults: null);
    }
}
