using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Sizing;

namespace Kip.Pods;

/// <summary>What a pod effectively asks for, by the Kubernetes scheduler's own formula (k8s.io/component-helpers, PodRequests).</summary>
public static class PodResources
{
    /// <summary>
    /// For each resource the larger of: all containers and sidecars together; and the most that any point of initialisation needs (an
    /// init container beside the sidecars started before it). Pod-level requests replace the sum for what they name; overhead is added.
    /// A container's missing request is its limit.
    /// </summary>
    /// <returns>Processors, memory and ephemeral storage of the pod alone, without what the cell itself takes.</returns>
    public static ResourceRequest Effective(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        return new ResourceRequest(
            Effective(pod.Spec, "cpu").MilliValue(),
            Effective(pod.Spec, "memory").ToInt64Ceiling(),
            Effective(pod.Spec, "ephemeral-storage").ToInt64Ceiling());
    }

    /// <summary>The same for one resource by its name.</summary>
    public static Quantity Effective(PodSpec spec, string resource)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var sidecars = Quantity.Zero;
        var initialising = Quantity.Zero;
        foreach (var container in spec.InitContainers ?? [])
        {
            var request = Request(container.Resources, resource);
            if (container.RestartPolicy == RestartPolicy.Always)
            {
                sidecars += request;
                initialising = Quantity.Max(initialising, sidecars);
            }
            else
            {
                initialising = Quantity.Max(initialising, sidecars + request);
            }
        }

        var running = sidecars;
        foreach (var container in spec.Containers)
        {
            running += Request(container.Resources, resource);
        }

        var effective = Quantity.Max(running, initialising);
        if (TryRequest(spec.Resources, resource) is { } podLevel)
        {
            effective = podLevel;
        }

        return spec.Overhead is { } overhead && overhead.TryGetValue(resource, out var extra) ? effective + extra : effective;
    }

    private static Quantity Request(ResourceRequirements? resources, string resource) => TryRequest(resources, resource) ?? Quantity.Zero;

    private static Quantity? TryRequest(ResourceRequirements? resources, string resource)
    {
        if (resources?.Requests is { } requests && requests.TryGetValue(resource, out var request))
        {
            return request;
        }

        return resources?.Limits is { } limits && limits.TryGetValue(resource, out var limit) ? limit : null;
    }
}
