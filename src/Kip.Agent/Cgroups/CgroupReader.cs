using System.Globalization;
using Kip.Agents.Protocol;

namespace Kip.Agent.Cgroups;

/// <summary>What the processes of a control group use. Null where there is no such group.</summary>
internal sealed class CgroupReader(CgroupHierarchies hierarchies)
{
    private const long NanosecondsPerMicrosecond = 1000;

    // Version 1 writes "no limit" as the largest number of pages that it can count.
    private const long NoLimit = 1L << 60;

    private readonly bool _isVersion2 = hierarchies.IsVersion2;

    /// <summary>Processor time since the group was made, in nanoseconds.</summary>
    public long? CpuNanoseconds(string group) => _isVersion2
        ? Table(FileOf(group, "cpu", "cpu.stat")).TryGetValue("usage_usec", out var microseconds) ? microseconds * NanosecondsPerMicrosecond : null
        : Number(FileOf(group, "cpuacct", "cpuacct.usage"));

    public MemoryUsage? Memory(string group, DateTimeOffset now)
    {
        var usage = Number(FileOf(group, "memory", _isVersion2 ? "memory.current" : "memory.usage_in_bytes"));
        if (usage is null)
        {
            return null;
        }

        var limit = Number(FileOf(group, "memory", _isVersion2 ? "memory.max" : "memory.limit_in_bytes"));
        var table = Table(FileOf(group, "memory", "memory.stat"));
        // Version 1 has numbers without and, with this prefix, including the groups below.
        var prefix = _isVersion2 ? "" : "total_";
        var memory = new MemoryUsage
        {
            TimeUnixMs = now.ToUnixTimeMilliseconds(),
            UsageBytes = usage.Value,
            WorkingSetBytes = Math.Max(0, usage.Value - table.GetValueOrDefault($"{prefix}inactive_file")),
            RssBytes = table.GetValueOrDefault(_isVersion2 ? "anon" : "total_rss"),
            PageFaults = table.GetValueOrDefault($"{prefix}pgfault"),
            MajorPageFaults = table.GetValueOrDefault($"{prefix}pgmajfault"),
        };
        if (limit < NoLimit)
        {
            memory.AvailableBytes = Math.Max(0, limit.Value - memory.WorkingSetBytes);
        }

        return memory;
    }

    /// <summary>How many processes are in the group and those below it.</summary>
    public long? ProcessCount(string group)
    {
        try
        {
            return Directory
                .EnumerateFiles(hierarchies.PathOf("memory", group), "cgroup.procs", SearchOption.AllDirectories)
                .Sum(file => (long)Lines(file).Length);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Lines of a name, spaces and a number; others are left out.</summary>
    internal static Dictionary<string, long> Table(string path)
    {
        var table = new Dictionary<string, long>();
        foreach (var line in Lines(path))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                table[words[0]] = number;
            }
        }

        return table;
    }

    private static long? Number(string path) =>
        Lines(path) is [var line, ..] && long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (IOException)
        {
            // There is no such group, or it went away while it was read.
            return [];
        }
    }

    private string FileOf(string group, string controller, string file) => Path.Combine(hierarchies.PathOf(controller, group), file);
}
