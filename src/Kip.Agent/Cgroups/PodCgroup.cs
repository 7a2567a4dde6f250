using System.Globalization;
using Kip.Agent.Pods;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Cgroups;

/// <summary>
/// The control group that all containers of a pod are below. Their own limits are the runtime's business; what <c>spec.resources</c> says
/// holds for all of them together, and no call of the runtime takes it.
/// </summary>
internal sealed class PodCgroup(CgroupHierarchies hierarchies)
{
    private const string Enabled = "+cpu +memory";

    /// <summary>Makes the group with its limits; does nothing for a pod without resources of its own.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Apply(string group, ResourceRequirements? resources)
    {
        if (resources is null)
        {
            return;
        }

        if (hierarchies.IsVersion2)
        {
            ApplyVersion2(group, resources);
        }
        else
        {
            ApplyVersion1(group, resources);
        }
    }

    private void ApplyVersion1(string group, ResourceRequirements resources)
    {
        var memory = Directory.CreateDirectory(hierarchies.PathOf("memory", group)).FullName;
        Write(memory, "memory.limit_in_bytes", Resources.Bytes(resources.Limits));
        var cpu = Directory.CreateDirectory(hierarchies.PathOf("cpu", group)).FullName;
        Write(cpu, "cpu.shares", Shares(resources));
        if (Resources.Quota(resources.Limits) is { } quota)
        {
            Write(cpu, "cpu.cfs_period_us", Resources.Period);
            Write(cpu, "cpu.cfs_quota_us", quota);
        }
    }

    private void ApplyVersion2(string group, ResourceRequirements resources)
    {
        // A group has the files of those controllers only that all groups above it hand down.
        var directory = hierarchies.Root;
        foreach (var name in group.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            Write(directory, "cgroup.subtree_control", Enabled);
            directory = Directory.CreateDirectory(Path.Combine(directory, name)).FullName;
        }

        Write(directory, "memory.max", Resources.Bytes(resources.Limits));
        // From the range of shares to that of weights, as runc does it.
        Write(directory, "cpu.weight", Shares(resources) is { } shares ? 1 + ((shares - 2) * 9999 / 262142) : null);
        if (Resources.Quota(resources.Limits) is { } quota)
        {
            Write(directory, "cpu.max", string.Create(CultureInfo.InvariantCulture, $"{quota} {Resources.Period}"));
        }
    }

    private static long? Shares(ResourceRequirements resources) =>
        (Resources.Milli(resources.Requests) ?? Resources.Milli(resources.Limits)) is { } milli ? Resources.Shares(milli) : null;

    private static void Write(string directory, string file, long? value)
    {
        if (value is not null)
        {
            Write(directory, file, value.Value.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void Write(string directory, string file, string value)
    {
        try
        {
            File.WriteAllText(Path.Combine(directory, file), value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{value} cannot be written to {file} of the pod's control group: {e.Message}", e);
        }
    }
}
