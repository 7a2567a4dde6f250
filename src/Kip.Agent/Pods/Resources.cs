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

    public static LinuxContainerResources ToCri(Container container, string qosClass, long memoryBytes)
    {
        var cpuLimit = Milli(container.Resources?.Limits);
        var cpuRequest = Milli(container.Resources?.Requests);
        var resources = new LinuxContainerResources
        {
            CpuShares = Shares(cpuRequest ?? cpuLimit ?? 0),
            MemoryLimitInBytes = Bytes(container.Resources?.Limits) ?? 0,
            OomScoreAdj = OomScore(container, qosClass, memoryBytes),
        };
        if (cpuLimit is > 0)
        {
            resources.CpuPeriod = Period;
            resources.CpuQuota = Math.Max(MinimumQuota, cpuLimit.Value * Period / 1000);
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
