using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Kip.Agents;

namespace Kip.VirtualKubelet.Server;

/// <summary>Writes /stats/summary (k8s.io/kubelet/pkg/apis/stats/v1alpha1 Summary).</summary>
internal static class StatsSummary
{
    /// <summary>Writes it.</summary>
    /// <param name="output">Gets the JSON.</param>
    /// <param name="nodeName">The node.</param>
    /// <param name="now">When the node's sums were made.</param>
    /// <param name="usages">What the pods use.</param>
    /// <param name="onlyCpuAndMemory">Leaves out everything else.</param>
    public static void Write(
        IBufferWriter<byte> output, string nodeName, DateTimeOffset now, IReadOnlyList<PodUsage> usages, bool onlyCpuAndMemory)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        WriteNode(json, nodeName, now, usages);
        json.WriteStartArray("pods");
        foreach (var usage in usages)
        {
            WritePod(json, usage, onlyCpuAndMemory);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The node is no machine: what its pods use is what it uses.</summary>
    private static void WriteNode(Utf8JsonWriter json, string nodeName, DateTimeOffset now, IReadOnlyList<PodUsage> usages)
    {
        json.WriteStartObject("node");
        json.WriteString("nodeName", nodeName);
        WriteCpu(json, NodeUsage.Cpu(usages, now));
        WriteMemory(json, NodeUsage.Memory(usages, now));
        json.WriteEndObject();
    }

    private static void WritePod(Utf8JsonWriter json, PodUsage usage, bool onlyCpuAndMemory)
    {
        var (pod, statistics) = usage;
        json.WriteStartObject();
        json.WriteStartObject("podRef");
        json.WriteString("name", pod.Metadata.Name);
        json.WriteString("namespace", pod.Metadata.Namespace);
        json.WriteString("uid", pod.Metadata.Uid);
        json.WriteEndObject();
        WriteTime(json, "startTime", pod.Status?.StartTime);
        json.WriteStartArray("containers");
        foreach (var container in statistics.Containers)
        {
            json.WriteStartObject();
            json.WriteString("name", container.Name);
            WriteTime(json, "startTime", container.StartTime);
            WriteCpu(json, container.Cpu);
            WriteMemory(json, container.Memory);
            if (!onlyCpuAndMemory)
            {
                WriteFileSystem(json, "rootfs", container.RootFileSystem);
                WriteFileSystem(json, "logs", container.Logs);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteCpu(json, statistics.Cpu);
        WriteMemory(json, statistics.Memory);
        if (!onlyCpuAndMemory)
        {
            WriteNetwork(json, statistics.Network);
            WriteFileSystem(json, "ephemeral-storage", statistics.EphemeralStorage);
            if (statistics.ProcessCount is { } processes)
            {
                json.WriteStartObject("process_stats");
                json.WriteNumber("process_count", processes);
                json.WriteEndObject();
            }
        }

        json.WriteEndObject();
    }

    private static void WriteCpu(Utf8JsonWriter json, CpuStatistics? cpu)
    {
        if (cpu is null)
        {
            return;
        }

        json.WriteStartObject("cpu");
        WriteTime(json, "time", cpu.Time);
        WriteNumber(json, "usageNanoCores", cpu.UsageNanoCores);
        json.WriteNumber("usageCoreNanoSeconds", cpu.UsageCoreNanoSeconds);
        json.WriteEndObject();
    }

    private static void WriteMemory(Utf8JsonWriter json, MemoryStatistics? memory)
    {
        if (memory is null)
        {
            return;
        }

        json.WriteStartObject("memory");
        WriteTime(json, "time", memory.Time);
        WriteNumber(json, "availableBytes", memory.AvailableBytes);
        json.WriteNumber("usageBytes", memory.UsageBytes);
        json.WriteNumber("workingSetBytes", memory.WorkingSetBytes);
        json.WriteNumber("rssBytes", memory.RssBytes);
        WriteNumber(json, "pageFaults", memory.PageFaults);
        WriteNumber(json, "majorPageFaults", memory.MajorPageFaults);
        json.WriteEndObject();
    }

    private static void WriteNetwork(Utf8JsonWriter json, NetworkStatistics? network)
    {
        if (network is not { Interfaces: [var first, ..] })
        {
            return;
        }

        json.WriteStartObject("network");
        WriteTime(json, "time", network.Time);
        WriteInterface(json, first);
        json.WriteStartArray("interfaces");
        foreach (var each in network.Interfaces)
        {
            json.WriteStartObject();
            WriteInterface(json, each);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteInterface(Utf8JsonWriter json, InterfaceStatistics counters)
    {
        json.WriteString("name", counters.Name);
        json.WriteNumber("rxBytes", counters.ReceivedBytes);
        json.WriteNumber("rxErrors", counters.ReceiveErrors);
        json.WriteNumber("txBytes", counters.SentBytes);
        json.WriteNumber("txErrors", counters.SendErrors);
    }

    private static void WriteFileSystem(Utf8JsonWriter json, string name, FileSystemStatistics? disk)
    {
        if (disk is null)
        {
            return;
        }

        json.WriteStartObject(name);
        WriteTime(json, "time", disk.Time);
        WriteNumber(json, "availableBytes", disk.AvailableBytes);
        WriteNumber(json, "capacityBytes", disk.CapacityBytes);
        json.WriteNumber("usedBytes", disk.UsedBytes);
        WriteNumber(json, "inodesFree", disk.InodesFree);
        WriteNumber(json, "inodes", disk.Inodes);
        WriteNumber(json, "inodesUsed", disk.InodesUsed);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
    }

    private static void WriteTime(Utf8JsonWriter json, string name, DateTimeOffset? value)
    {
        if (value is { } time)
        {
            json.WriteString(name, time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        }
    }
}
