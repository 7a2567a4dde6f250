using System.Globalization;

namespace Kip.Drivers.Local.Host;

/// <summary>
/// The control groups of cells, <c>/kip/ID</c> in every mounted hierarchy (version 1, version 2 or a mix). Below a cell's group are
/// <c>system</c> for containerd and the agent, and <c>pods</c> for the containers. Memory and process limits hold for the whole cell; the
/// processor quota is that of <c>pods</c>, so that a small cell boots as fast as a large one.
/// </summary>
internal sealed class Cgroups
{
    private const string Root = "kip";
    private const long PeriodMicroseconds = 100_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static readonly string[] LimitingControllers = ["cpu", "memory", "pids"];

    private readonly IReadOnlyList<Hierarchy> _hierarchies;

    public Cgroups(IEnumerable<string> mountInfo)
    {
        var mounted = mountInfo.Select(Hierarchy.Parse).OfType<Hierarchy>().DistinctBy(hierarchy => hierarchy.Path).ToList();
        // Moving a process costs milliseconds for each hierarchy. In those that limit nothing runc makes the groups it needs by itself;
        // they still have to be cleaned.
        _hierarchies = [.. mounted.Select(hierarchy => hierarchy with { IsUsed = Array.Exists(LimitingControllers, hierarchy.Controls) })];
    }

    public static Cgroups OfThisMachine() => new(File.ReadLines("/proc/self/mountinfo"));

    /// <summary>What runc and the agent call the group for containers of a cell.</summary>
    public static string PodsGroup(string id) => $"/{Root}/{id}/pods";

    /// <summary>A controller that limits need and that no hierarchy has, or null.</summary>
    public string? MissingController() =>
        LimitingControllers.FirstOrDefault(name => !_hierarchies.Any(hierarchy => hierarchy.IsUsed && hierarchy.Controls(name)));

    /// <summary>Makes the groups of a cell, with its limits, and returns those its own processes have to join.</summary>
    public IReadOnlyList<string> Create(string id, LocalType type)
    {
        var join = new List<string>();
        foreach (var hierarchy in _hierarchies.Where(hierarchy => hierarchy.IsUsed))
        {
            var cell = Path.Combine(hierarchy.Path, Root, id);
            var system = Path.Combine(cell, "system");
            var pods = Path.Combine(cell, "pods");
            MakeGroup(hierarchy, cell);
            MakeGroup(hierarchy, system);
            MakeGroup(hierarchy, pods);
            if (hierarchy.IsVersion2)
            {
                hierarchy.EnableControllers(pods);
            }

            Limit(hierarchy, cell, pods, type);
            join.Add(system);
        }

        return join;
    }

    /// <summary>Kills every process of a cell and waits until none is left.</summary>
    public async Task KillAsync(string id, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        while (Processes(id) is { Count: > 0 } processes)
        {
            if (timeProvider.GetElapsedTime(start) > Patience)
            {
                throw new DriverException(
                    DriverErrorKind.Transient, $"processes {string.Join(", ", processes)} of {id} do not end although they were killed");
            }

            foreach (var process in processes)
            {
                ProcessIdentity.Kill(process);
            }

            await Task.Delay(Pause, timeProvider, cancellationToken);
        }
    }

    public IReadOnlySet<int> Processes(string id)
    {
        var processes = new HashSet<int>();
        foreach (var group in _hierarchies.SelectMany(hierarchy => GroupsDeepestFirst(Path.Combine(hierarchy.Path, Root, id))))
        {
            try
            {
                // Process 0 is one of another PID namespace: not ours to see, so not of a cell made here.
                processes.UnionWith(File.ReadLines(Path.Combine(group, "cgroup.procs"))
                    .Select(line => int.Parse(line, CultureInfo.InvariantCulture)).Where(process => process > 0));
            }
            catch (IOException)
            {
                // The group went away between listing and reading (ENOENT or ENODEV): it holds nothing.
            }
        }

        return processes;
    }

    /// <summary>Removes the groups of a cell, waiting while the kernel still has them in use.</summary>
    public async Task RemoveAsync(string id, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        foreach (var hierarchy in _hierarchies)
        {
            var cell = Path.Combine(hierarchy.Path, Root, id);
            while (Directory.Exists(cell))
            {
                if (GroupsDeepestFirst(cell).All(TryRemove))
                {
                    continue;
                }

                if (timeProvider.GetElapsedTime(start) > Patience)
                {
                    throw new DriverException(DriverErrorKind.Transient, $"cannot remove the control group {cell}: it stays busy");
                }

                await Task.Delay(Pause, timeProvider, cancellationToken);
            }
        }
    }

    /// <summary>Removes the common parent of all cells if it is empty.</summary>
    public void RemoveRootIfEmpty()
    {
        foreach (var hierarchy in _hierarchies)
        {
            TryRemove(Path.Combine(hierarchy.Path, Root));
        }
    }

    private static void MakeGroup(Hierarchy hierarchy, string group)
    {
        const int attempts = 5;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                for (var parent = hierarchy.Path; parent != group; )
                {
                    if (hierarchy.IsVersion2)
                    {
                        hierarchy.EnableControllers(parent);
                    }

                    parent = Path.Combine(parent, Path.GetRelativePath(parent, group).Split('/')[0]);
                    Directory.CreateDirectory(parent);
                    hierarchy.InheritCpus(parent);
                }

                return;
            }
            catch (DirectoryNotFoundException) when (attempt < attempts)
            {
                // Whoever removed the last cell of this machine removed the common parent just now.
            }
        }
    }

    private static void Limit(Hierarchy hierarchy, string cell, string pods, LocalType type)
    {
        var quota = type.MilliCpu * PeriodMicroseconds / 1000;
        if (hierarchy.IsVersion2)
        {
            Write(cell, "memory.max", type.MemoryBytes);
            Write(cell, "pids.max", type.MaxProcesses);
            Write(cell, "cpu.weight", Math.Clamp(type.MilliCpu / 10, 1, 10_000));
            Write(pods, "cpu.max", $"{quota} {PeriodMicroseconds}");
            return;
        }

        if (hierarchy.Controls("memory"))
        {
            Write(cell, "memory.limit_in_bytes", type.MemoryBytes);
        }

        if (hierarchy.Controls("pids"))
        {
            Write(cell, "pids.max", type.MaxProcesses);
        }

        if (hierarchy.Controls("cpu"))
        {
            Write(cell, "cpu.shares", Math.Max(2, type.MilliCpu * 1024 / 1000));
            Write(pods, "cpu.cfs_period_us", PeriodMicroseconds);
            Write(pods, "cpu.cfs_quota_us", quota);
        }
    }

    private static void Write(string group, string file, long value) =>
        Write(group, file, value.ToString(CultureInfo.InvariantCulture));

    private static void Write(string group, string file, string value) => File.WriteAllText(Path.Combine(group, file), value);

    private static List<string> GroupsDeepestFirst(string group)
    {
        try
        {
            var groups = Directory.EnumerateDirectories(group).SelectMany(GroupsDeepestFirst).ToList();
            groups.Add(group);
            return groups;
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static bool TryRemove(string group)
    {
        try
        {
            Directory.Delete(group);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            // EBUSY: a process has not quite ended, or there is a group below.
            return false;
        }
    }

    private sealed record Hierarchy(string Path, bool IsVersion2, string[] Controllers, bool IsUsed)
    {
        /// <summary>Reads a line of /proc/self/mountinfo: "36 35 98:0 / /mnt rw shared:1 - TYPE SOURCE OPTIONS", proc(5).</summary>
        public static Hierarchy? Parse(string line)
        {
            var halves = line.Split(" - ", 2);
            var path = halves[0].Split(' ')[4];
            return halves[1].Split(' ') switch
            {
                ["cgroup2", ..] => new Hierarchy(path, true, ReadControllers(path), true),
                ["cgroup", _, var options] => new Hierarchy(path, false, options.Split(','), true),
                _ => null,
            };
        }

        public bool Controls(string controller) => Controllers.Contains(controller, StringComparer.Ordinal);

        /// <summary>Version 2 gives a group only those controllers that its parent hands down.</summary>
        public void EnableControllers(string parent)
        {
            var file = System.IO.Path.Combine(parent, "cgroup.subtree_control");
            var enabled = File.ReadAllText(file).Split(' ', StringSplitOptions.TrimEntries);
            var wanted = Controllers.Where(name => name is "cpu" or "memory" or "pids" or "cpuset" or "io").Except(enabled).ToList();
            if (wanted.Count > 0)
            {
                File.WriteAllText(file, string.Join(' ', wanted.Select(name => "+" + name)));
            }
        }

        /// <summary>A new version 1 cpuset takes no process before it has processors and memory nodes.</summary>
        public void InheritCpus(string group)
        {
            if (IsVersion2 || !Controls("cpuset"))
            {
                return;
            }

            foreach (var file in new[] { "cpuset.cpus", "cpuset.mems" })
            {
                var own = System.IO.Path.Combine(group, file);
                if (string.IsNullOrWhiteSpace(File.ReadAllText(own)))
                {
                    File.WriteAllText(own, File.ReadAllText(System.IO.Path.Combine(group, "..", file)));
                }
            }
        }

        private static string[] ReadControllers(string path)
        {
            var file = System.IO.Path.Combine(path, "cgroup.controllers");
            return File.Exists(file) ? File.ReadAllText(file).Split(' ', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [];
        }
    }
}
