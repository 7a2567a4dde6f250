using System.Globalization;
using Kip.Agents.Protocol;

namespace Kip.Agent.Statistics;

/// <summary>What the processes of a control group use, from the files of version 1 or 2. Null where there is no such group.</summary>
/// <param name="root">Where the hierarchies are mounted.</param>
internal sealed class CgroupReader(string root = "/sys/fs/cgroup")
{
    private const long NanosecondsPerMicrosecond = 1000;

    // Version 1 writes "no limit" as the largest number of pages that it can count.
    private const long NoLimit = 1L << 60;

    private static readonly string[] _cpuHierarchies = ["cpuacct", "cpu,cpuacct", "cpuacct,cpu"];

    private readonly bool _isVersion2 = File.Exists(Path.Combine(root, "cgroup.controllers"));

    /// <summary>Processor time since the group was made, in nanoseconds.</summary>
    public long? CpuNanoseconds(string group) => _isVersion2
        ? Table(File2(group, "cpu.stat")).TryGetValue("usage_usec", out var microseconds) ? microseconds * NanosecondsPerMicrosecond : null
        : _cpuHierarchies.Select(hierarchy => Number(File1(hierarchy, group, "cpuacct.usage"))).FirstOrDefault(usage => usage is not null);

    public MemoryUsage? Memory(string group, DateTimeOffset now)
    {
        var usage = Number(_isVersion2 ? File2(group, "memory.current") : File1("memory", group, "memory.usage_in_bytes"));
        if (usage is null)
        {
            return null;
        }

        var limit = Number(_isVersion2 ? File2(group, "memory.max") : File1("memory", group, "memory.limit_in_bytes"));
        var table = Table(_isVersion2 ? File2(group, "memory.stat") : File1("memory", group, "memory.stat"));
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
                .EnumerateFiles(_isVersion2 ? File2(group, "") : File1("memory", group, ""), "cgroup.procs", SearchOption.AllDirectories)
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

    private string File1(string hierarchy, string group, string file) => Path.Combine(root, hierarchy, group.Trim('/'), file);

    private string File2(string group, string file) => Path.Combine(root, group.Trim('/'), file);
}
