using Kip.Agent.Cgroups;
using Kip.Agent.Pods;
using Kip.Agent.Runtime;
using Kip.Agent.Status;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Cri = Kip.Agent.Runtime.Cri;

namespace Kip.Agent.Statistics;

/// <summary>Answers GetStatistics. It measures when it is asked and never else.</summary>
/// <param name="board">Knows what runs.</param>
/// <param name="runtime">Measures containers.</param>
/// <param name="cgroupParent">The group above the pod's. The group above that one is the cell's, unless it is the root.</param>
/// <param name="time">The cell's clock.</param>
internal sealed class StatisticsCollector(StatusBoard board, ICriRuntime runtime, string cgroupParent, TimeProvider time)
{
    private const string PodKey = "pod";
    private const string CellKey = "cell";

    private readonly CgroupReader _cgroups = new(new CgroupHierarchies());
    private readonly CpuRates _rates = new();
    private string? _imageDirectory;

    /// <exception cref="RpcException">The runtime does not answer.</exception>
    public async Task<GetStatisticsReply> CollectAsync(CancellationToken cancellationToken)
    {
        var view = board.View;
        var now = time.GetUtcNow();
        _imageDirectory ??= await runtime.ImageDirectoryAsync(cancellationToken).Explained();
        var disk = _imageDirectory is null ? null : DiskReader.FileSystem(_imageDirectory, now);
        var reply = new GetStatisticsReply { PodUid = view.PodUid, Cell = Cell(disk, now) };
        if (view.SandboxId is not null)
        {
            foreach (var (container, stats) in await ContainersAsync(view, cancellationToken))
            {
                reply.Containers.Add(await ContainerAsync(view, container, stats, disk, now, cancellationToken));
            }

            await AddPodAsync(reply, view, disk, now, cancellationToken);
        }

        _rates.Keep(view.Containers.Select(container => container.RunningId).OfType<string>().Append(PodKey).Append(CellKey).ToHashSet());
        return reply;
    }

    private CellUsage Cell(FileSystemUsage? disk, DateTimeOffset now)
    {
        var group = Path.GetDirectoryName(cgroupParent.TrimEnd('/')) is { Length: > 1 } above ? above : null;
        var cpu = (group is null ? null : _cgroups.CpuNanoseconds(group)) ?? MachineReader.CpuNanoseconds();
        var cell = new CellUsage
        {
            Cpu = _rates.Measure(CellKey, UnixNanoseconds(now), cpu),
            Memory = (group is null ? null : _cgroups.Memory(group, now)) ?? MachineReader.Memory(now),
            Network = InterfaceReader.Read(null, now),
            FileSystem = disk,
        };
        if (MachineReader.StartTime is { } start)
        {
            cell.StartUnixMs = start.ToUnixTimeMilliseconds();
        }

        return cell;
    }

    /// <summary>The containers that run, with what the runtime measured; in the order of the pod.</summary>
    private async Task<List<(ContainerView Container, Cri.ContainerStats Stats)>> ContainersAsync(
        PodView view, CancellationToken cancellationToken)
    {
        var labels = new Dictionary<string, string> { [PodIdentity.PodUidLabel] = view.PodUid };
        var stats = (await runtime.ListContainerStatsAsync(labels, cancellationToken).Explained())
            .Where(each => each.Attributes is not null)
            .ToLookup(each => each.Attributes.Id);
        return [.. from container in view.Containers
                   from each in stats[container.RunningId ?? ""]
                   select (container, each)];
    }

    private async Task<ContainerUsage> ContainerAsync(
        PodView view,
        ContainerView container,
        Cri.ContainerStats stats,
        FileSystemUsage? disk,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var started = (await runtime.ContainerStatusAsync(container.RunningId!, cancellationToken).Explained()).StartedAt;
        var usage = new ContainerUsage { Name = container.Name, StartUnixMs = started / 1_000_000 };
        if (stats.Cpu?.UsageCoreNanoSeconds is { } cpu)
        {
            usage.Cpu = _rates.Measure(container.RunningId!, stats.Cpu.Timestamp, (long)cpu.Value);
        }

        if (stats.Memory?.WorkingSetBytes is not null)
        {
            usage.Memory = Memory(stats.Memory);
        }

        if (stats.WritableLayer is { UsedBytes: not null } layer)
        {
            usage.RootFileSystem = DiskReader.Part(disk, (long)layer.UsedBytes.Value, (long)(layer.InodesUsed?.Value ?? 0), now);
        }

        var (bytes, files) = DiskReader.Directory(Path.Combine(view.LogDirectory, container.Name));
        usage.Logs = DiskReader.Part(DiskReader.FileSystem(view.LogDirectory, now), bytes, files, now);
        return usage;
    }

    private async Task AddPodAsync(
        GetStatisticsReply reply, PodView view, FileSystemUsage? disk, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var group = PodIdentity.Cgroup(cgroupParent, view.PodUid);
        if (_cgroups.CpuNanoseconds(group) is { } cpu)
        {
            reply.Cpu = _rates.Measure(PodKey, UnixNanoseconds(now), cpu);
        }

        reply.Memory = _cgroups.Memory(group, now);
        if (_cgroups.ProcessCount(group) is { } processes)
        {
            reply.ProcessCount = processes;
        }

        var parts = reply.Containers.SelectMany(container => (FileSystemUsage?[])[container.RootFileSystem, container.Logs]).OfType<FileSystemUsage>().ToList();
        reply.EphemeralStorage = DiskReader.Part(disk, parts.Sum(part => part.UsedBytes), parts.Sum(part => part.InodesUsed), now);
        try
        {
            var path = await runtime.NetworkNamespaceAsync(view.SandboxId!, cancellationToken).Explained();
            reply.Network = InterfaceReader.Read(path, now);
        }
        catch (IOException)
        {
            // The pod ended a moment ago, and its namespace went with it.
        }
    }

    private static MemoryUsage Memory(Cri.MemoryUsage memory)
    {
        var usage = new MemoryUsage
        {
            TimeUnixMs = memory.Timestamp / 1_000_000,
            WorkingSetBytes = (long)memory.WorkingSetBytes.Value,
            UsageBytes = (long)(memory.UsageBytes?.Value ?? memory.WorkingSetBytes.Value),
            RssBytes = (long)(memory.RssBytes?.Value ?? 0),
        };
        // containerd reports 0 for a container without a limit.
        if (memory.AvailableBytes is { Value: > 0 and < long.MaxValue } available)
        {
            usage.AvailableBytes = (long)available.Value;
        }

        if (memory.PageFaults is { } faults)
        {
            usage.PageFaults = (long)faults.Value;
        }

        if (memory.MajorPageFaults is { } majorFaults)
        {
            usage.MajorPageFaults = (long)majorFaults.Value;
        }

        return usage;
    }

    private static long UnixNanoseconds(DateTimeOffset moment) => (moment - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
}
