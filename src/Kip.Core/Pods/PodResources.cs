using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Sizing;

namespace Kip.Pods;

/// <summary>What a pod effectively asks for, by the Kubernetes scheduler's own formula (k8s.io/component-helpers, PodRequests).</summary>
public static class PodResources
{
    private const string HugePages = "hugepages-";

    /// <summary>
    /// For each resource the larger of: all containers and sidecars together; and the most that any point of initialisation needs (an
    /// init container beside the sidecars started before it). Pod-level requests replace the sum for what they name; overhead is added.
    /// A container's missing request is its limit.
    /// </summary>
    /// <returns>Processors, memory with huge pages, and ephemeral storage of the pod alone, without what the cell itself takes.</returns>
    public static ResourceRequest Effective(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        var memory = Effective(pod.Spec, "memory");
        foreach (var name in Names(pod.Spec).Where(static name => name.StartsWith(HugePages, StringComparison.Ordinal)))
        {
            memory += Effective(pod.Spec, name);
        }

        return new ResourceRequest(
            Effective(pod.Spec, "cpu").MilliValue(),
            memory.ToInt64Ceiling(),
            Effective(pod.Spec, "ephemeral-storage").ToInt64Ceiling());
    }

    /// <summary>The same for one resource by its name.</summary>
    public static Quantity Effective(PodSpec spec, string resource) => Explain(spec, resource).Total;

    /// <summary>The same for one resource by its name, with how it comes about.</summary>
    public static ResourceBreakdown Explain(PodSpec spec, string resource)
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

        var containers = Quantity.Zero;
        foreach (var container in spec.Containers)
        {
            containers += Request(container.Resources, resource);
        }

        var overhead = spec.Overhead is { } extra && extra.TryGetValue(resource, out var amount) ? amount : Quantity.Zero;
        return new ResourceBreakdown(resource, containers, sidecars, initialising, TryRequest(spec.Resources, resource), overhead);
    }

    /// <summary>The extended resources that the pod asks for, such as <c>nvidia.com/gpu</c>, and how many of each, rounded up.</summary>
    public static IReadOnlyDictionary<string, long> Devices(PodSpec spec) => Names(spec)
        .Where(static name => name.Contains('/', StringComparison.Ordinal))
        .Select(name => KeyValuePair.Create(name, Effective(spec, name).ToInt64Ceiling()))
        .Where(static device => device.Value > 0)
        .ToDictionary();

    /// <summary>The names of all resources that the pod asks for, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names(PodSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return [.. (spec.InitContainers ?? [])
            .Concat(spec.Containers)
            .Select(static container => container.Resources)
            .Append(spec.Resources)
            .SelectMany(static resources => Keys(resources?.Requests).Concat(Keys(resources?.Limits)))
            .Concat(Keys(spec.Overhead))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)];
    }

    private static IEnumerable<string> Keys(Dictionary<string, Quantity>? amounts) => amounts?.Keys ?? Enumerable.Empty<string>();

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
