using System.Globalization;
using Kip.Agent.Cgroups;
using Kip.Agents.Protocol;

namespace Kip.Agent.Statistics;

/// <summary>What the whole machine uses, from /proc.</summary>
internal static class MachineReader
{
    private const long BytesPerKibibyte = 1024;

    // The kernel shows processor times in hundredths of a second, whatever it counts in itself (USER_HZ).
    private const long NanosecondsPerTick = 10_000_000;

    /// <summary>When it was started.</summary>
    public static DateTimeOffset? StartTime =>
        CgroupReader.Table("/proc/stat").TryGetValue("btime", out var seconds) ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;

    /// <summary>Processor time since the start, in nanoseconds.</summary>
    public static long CpuNanoseconds()
    {
        // cpu user nice system idle iowait irq softirq steal guest guest_nice; the last two are part of the first two.
        var line = File.ReadLines("/proc/stat").First();
        var ticks = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..]
            .Select(word => long.Parse(word, CultureInfo.InvariantCulture)).ToArray();
        return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) * NanosecondsPerTick;
    }

    public static MemoryUsage Memory(DateTimeOffset now)
    {
        var memory = CgroupReader.Table("/proc/meminfo");
        var events = CgroupReader.Table("/proc/vmstat");
        var total = memory["MemTotal:"];
        var used = total - memory["MemFree:"];
        var workingSet = Math.Max(0, used - memory["Inactive(file):"]);
        return new MemoryUsage
        {
            TimeUnixMs = now.ToUnixTimeMilliseconds(),
            UsageBytes = used * BytesPerKibibyte,
            WorkingSetBytes = workingSet * BytesPerKibibyte,
            RssBytes = memory["AnonPages:"] * BytesPerKibibyte,
            AvailableBytes = (total - workingSet) * BytesPerKibibyte,
            PageFaults = events.GetValueOrDefault("pgfault"),
            MajorPageFaults = events.GetValueOrDefault("pgmajfault"),
        };
    }
}
