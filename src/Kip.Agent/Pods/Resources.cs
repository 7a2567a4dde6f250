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
    private const long Period = 100_000;
    private const long NoLimit = -1;

    public static LinuxContainerResources ToCri(Container container, string qosClass, Cell cell)
    {
        var cpuLimit = Milli(container.Resources?.Limits);
        var cpuRequest = Milli(container.Resources?.Requests);
        var resources = new LinuxContainerResources
        {
            CpuShares = Shares(cpuRequest ?? cpuLimit ?? 0),
            MemoryLimitInBytes = Bytes(container.Resources?.Limits) ?? 0,
            OomScoreAdj = OomScore(container, qosClass, cell.MemoryBytes),
            HugepageLimits = { new HugePages(cell.HugePagesDirectory).Limits(container) },
        };
        if (cpuLimit is > 0)
        {
            resources.CpuPeriod = Period;
            resources.CpuQuota = Math.Max(MinimumQuota, cpuLimit.Value * Period / 1000);
        }

        return resources;
    }

    /// <summary>What a running container is to get in place of what it has. In an update 0 means no change, so no limit is -1.</summary>
    public static LinuxContainerResources ToUpdate(Container container, ResourceRequirements? inForce, string qosClass, Cell cell)
    {
        var resources = ToCri(container, qosClass, cell);
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

    /// <summary>Guaranteed, Burstable or BestEffort, by cpu and memory alone.</summary>
    public static string QosClass(Pod pod)
    {
        var containers = pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).ToList();
        var any = false;
        var guaranteed = true;
        foreach (var container in containers)
        {
            foreach (var name in (string[])["cpu", "memory"])
            {
                var limit = Positive(container.Resources?.Limits, name);
                var request = Positive(container.Resources?.Requests, name) ?? limit;
                any |= limit is not null || request is not null;
                guaranteed &= limit is not null && request == limit;
            }
        }

        return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
    }

    private static long Shares(long milliCpu) => Math.Clamp(milliCpu * 1024 / 1000, MinimumShares, MaximumShares);

    /// <summary>Never negative: protecting a pod's process above the cell's own would take rights that the agent may lack.</summary>
    private static long OomScore(Container container, string qosClass, long memoryBytes)
    {
        switch (qosClass)
        {
            case "Guaranteed":
                return 0;
            case "BestEffort":
                return 1000;
            default:
                var request = Bytes(container.Resources?.Requests) ?? Bytes(container.Resources?.Limits) ?? 0;
                return Math.Clamp(1000 - (long)(1000.0 * request / Math.Max(1, memoryBytes)), 3, 999);
        }
    }

    private static long? Milli(Dictionary<string, Quantity>? resources) =>
        resources is not null && resources.TryGetValue("cpu", out var cpu) && !cpu.IsZero ? cpu.MilliValue() : null;

    private static long? Bytes(Dictionary<string, Quantity>? resources) => Positive(resources, "memory")?.ToInt64Ceiling();

    private static Quantity? Positive(Dictionary<string, Quantity>? resources, string name) =>
        resources is not null && resources.TryGetValue(name, out var value) && !value.IsZero ? value : null;
}
