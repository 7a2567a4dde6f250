using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>
/// GPUs for containers that ask for <c>nvidia.com/gpu</c>. A device plugin is not needed where one pod has the machine: the containers get
/// the GPUs in their order, by NVIDIA's runtime, which reads an environment variable.
/// </summary>
internal static class Gpus
{
    public const string Resource = "nvidia.com/gpu";

    /// <summary>How NVIDIA's toolkit names its runtime in containerd's configuration.</summary>
    public const string Handler = "nvidia";

    /// <summary>What NVIDIA's runtime reads; images set it to "all".</summary>
    public const string Variable = "NVIDIA_VISIBLE_DEVICES";

    private const string None = "void";

    /// <summary>Whether the pod asks for any.</summary>
    public static bool Asks(PodSpec spec) => (spec.InitContainers ?? []).Concat(spec.Containers).Any(container => Count(container) > 0);

    /// <summary>The indices of the container's GPUs as NVIDIA's runtime reads them; null in a pod that asks for none.</summary>
    public static string? Of(PodSpec spec, Container container)
    {
        if (!Asks(spec))
        {
            return null;
        }

        var first = 0;
        foreach (var each in (spec.InitContainers ?? []).Concat(spec.Containers))
        {
            if (each.Name == container.Name)
            {
                return Count(each) > 0 ? string.Join(',', Enumerable.Range(first, Count(each))) : None;
            }

            // What an init container had is free once it has ended.
            var stays = each.RestartPolicy == "Always" || spec.Containers.Contains(each);
            first += stays ? Count(each) : 0;
        }

        return None;
    }

    private static int Count(Container container) =>
        container.Resources?.Limits is { } limits && limits.TryGetValue(Resource, out var count) ? (int)count.ToInt64Ceiling() : 0;
}
