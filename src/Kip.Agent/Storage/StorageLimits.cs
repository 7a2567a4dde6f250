using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Storage;

/// <summary>
/// What a pod may take of the cell's disk: <c>sizeLimit</c> of its <c>emptyDir</c> volumes and <c>ephemeral-storage</c> limits of its
/// containers, by the kubelet's rules and in its words. A volume in memory cannot grow beyond its limit.
/// </summary>
internal static class StorageLimits
{
    /// <summary>As the kubelet calls it.</summary>
    public const string Evicted = "Evicted";

    private const string Resource = "ephemeral-storage";

    public static bool HasAny(Pod pod) => Volumes(pod).Any() || HasContainerLimits(pod);

    public static bool HasContainerLimits(Pod pod) => Containers(pod).Concat(pod.Spec.InitContainers ?? []).Any(static c => Limit(c) is not null);

    /// <summary>The <c>emptyDir</c> volumes that lie on the disk and have a limit.</summary>
    public static IEnumerable<(string Name, Quantity Limit)> Volumes(Pod pod) =>
        from volume in pod.Spec.Volumes ?? []
        where volume.EmptyDir is { Medium: null or "", SizeLimit.Sign: > 0 }
        select (volume.Name, volume.EmptyDir!.SizeLimit!.Value);

    /// <summary>The first limit that is exceeded, in words; null when none is.</summary>
    public static string? Exceeded(Pod pod, StorageUsage usage)
    {
        foreach (var (name, limit) in Volumes(pod))
        {
            if (usage.Volumes.GetValueOrDefault(name) > limit.ToInt64Ceiling())
            {
                return $"Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". ";
            }
        }

        if (PodLimit(pod) is { } all && usage.Total > all.ToInt64Ceiling())
        {
            return $"Pod ephemeral local storage usage exceeds the total limit of containers {all}. ";
        }

        foreach (var container in Containers(pod))
        {
            if (Limit(container) is { } limit && usage.Containers.GetValueOrDefault(container.Name) > limit.ToInt64Ceiling())
            {
                return $"Container {container.Name} exceeded its local ephemeral storage limit \"{limit}\". ";
            }
        }

        return null;
    }

    /// <summary>Those that run for as long as the pod does.</summary>
    private static IEnumerable<Container> Containers(Pod pod) =>
        pod.Spec.Containers.Concat((pod.Spec.InitContainers ?? []).Where(static c => c.RestartPolicy == "Always"));

    // What all that run together may take, or what the largest init container may.
    private static Quantity? PodLimit(Pod pod)
    {
        Quantity? sum = null;
        foreach (var limit in Containers(pod).Select(Limit).OfType<Quantity>())
        {
            sum = sum is { } before ? before + limit : limit;
        }

        foreach (var limit in (pod.Spec.InitContainers ?? []).Select(Limit).OfType<Quantity>())
        {
            sum = sum is { } before && before >= limit ? before : limit;
        }

        return sum;
    }

    private static Quantity? Limit(Container container) =>
        container.Resources?.Limits is { } limits && limits.TryGetValue(Resource, out var limit) && limit.Sign > 0 ? limit : null;
}
