using Kip.Agent.Runtime.Cri;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>From requests and limits to cgroup settings, by the kubelet's formulas.</summary>
internal static class Resources
{
    private const long MinimumShares = 2;
    private const long MaximumShares = 262144;
    private const long MinimumQuota = 1000;
    private const long NoLimit = -1;

    /// <summary>Of processor quotas, in microseconds.</summary>
    public const long Period = 100_000;

    public static LinuxContainerResources ToCri(Container container, Pod pod, Cell cell)
    {
        var resources = new LinuxContainerResources
        {
            CpuShares = Shares(Milli(container.Resources?.Requests) ?? Milli(container.Resources?.Limits) ?? 0),
            MemoryLimitInBytes = Bytes(container.Resources?.Limits) ?? 0,
            OomScoreAdj = OomScore(container, pod, cell.MemoryBytes),
            HugepageLimits = { new HugePages(cell.HugePagesDirectory).Limits(container, pod.Spec.Resources) },
        };
        if (Quota(container.Resources?.Limits) is { } quota)
        {
            resources.CpuPeriod = Period;
            resources.CpuQuota = quota;
        }

        return resources;
    }

    /// <summary>What a running container is to get in place of what it has. In an update 0 means no change, so no limit is -1.</summary>
    public static LinuxContainerResources ToUpdate(Container container, ResourceRequirements? inForce, Pod pod, Cell cell)
    {
        var resources = ToCri(container, pod, cell);
        // These two cannot change.
        resources.OomScoreAdj = 0;
        resources.HugepageLimits.Clear();
        if (resources.CpuQuota == 0 && Milli(inForce?.Limits) is not null)
        {
            resources.CpuPeriod = Period;
            resources.CpuQuota = NoLimit;
        }

        if (resources.MemoryLimitInBytes == 0 && Bytes(inForce?.Limits) is not null)
        {
            resources.MemoryLimitInBytes = NoLimit;
        }

        return resources;
    }

    /// <summary>Guaranteed, Burstable or BestEffort, by cpu and memory alone: the pod's own where it has any, else those of its containers.</summary>
    public static string QosClass(Pod pod)
    {
        IEnumerable<ResourceRequirements?> all = pod.Spec.Resources is { } own
            ? [own]
            : pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).Select(container => container.Resources);
        var any = false;
        var guaranteed = true;
        foreach (var resources in all)
        {
            foreach (var name in (string[])["cpu", "memory"])
            {
                var limit = Positive(resources?.Limits, name);
                var request = Positive(resources?.Requests, name) ?? limit;
                any |= limit is not null || request is not null;
                guaranteed &= limit is not null && request == limit;
            }
        }

        return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
    }

    /// <summary>Processor time in each period, in microseconds; null without a limit.</summary>
    public static long? Quota(Dictionary<string, Quantity>? limits) =>
        Milli(limits) is { } milli ? Math.Max(MinimumQuota, milli * Period / 1000) : null;

    public static long Shares(long milliCpu) => Math.Clamp(milliCpu * 1024 / 1000, MinimumShares, MaximumShares);

    /// <summary>Never negative: protecting a pod's process above the cell's own would take rights that the agent may lack.</summary>
    private static long OomScore(Container container, Pod pod, long memoryBytes)
    {
        switch (QosClass(pod))
        {
            case "Guaranteed":
                return 0;
            case "BestEffort":
                return 1000;
            default:
                var request = MemoryRequest(container) + Spare(pod);
                return Math.Clamp(1000 - (long)(1000.0 * request / Math.Max(1, memoryBytes)), 3, 999);
        }
    }

    private static long MemoryRequest(Container container) => Bytes(container.Resources?.Requests) ?? Bytes(container.Resources?.Limits) ?? 0;

    /// <summary>A container's part of what the pod asks for beyond its containers.</summary>
    private static long Spare(Pod pod)
    {
        var containers = pod.Spec.Containers.Concat((pod.Spec.InitContainers ?? []).Where(init => init.RestartPolicy == "Always")).ToList();
        var request = Bytes(pod.Spec.Resources?.Requests) ?? Bytes(pod.Spec.Resources?.Limits) ?? 0;
        return Math.Max(0, request - containers.Sum(MemoryRequest)) / containers.Count;
    }

    public static long? Milli(Dictionary<string, Quantity>? resources) =>
        resources is not null && resources.TryGetValue("cpu", out var cpu) && !cpu.IsZero ? cpu.MilliValue() : null;

    public static long? Bytes(Dictionary<string, Quantity>? resources) => Positive(resources, "memory")?.ToInt64Ceiling();

    private static Quantity? Positive(Dictionary<string, Quantity>? resources, string name) =>
        resources is not null && resources.TryGetValue(name, out var value) && !value.IsZero ? value : null;
}
