using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>What a pod calls itself, by the kubelet's rules.</summary>
internal static class PodHostname
{
    /// <summary>The most that Linux takes as a host name.</summary>
    public const int KernelLength = 64;

    /// <summary>The domain below which the cluster's names lie.</summary>
    private const string ClusterDomain = "cluster.local";

    /// <summary>The most that a label of a domain name may have.</summary>
    private const int LabelLength = 63;

    /// <summary>The first label of the pod's name; with an override, that.</summary>
    public static string Short(Pod pod)
    {
        if (pod.Spec.HostnameOverride is { Length: > 0 } given)
        {
            return given;
        }

        var name = pod.Spec.Hostname is { Length: > 0 } hostname ? hostname : PodIdentity.Name(pod);
        return name.Length <= LabelLength ? name : name[..LabelLength].TrimEnd('-', '.');
    }

    /// <summary>The name with its domain; null without a subdomain, which alone gives a pod a name of its own in the cluster.</summary>
    public static string? FullyQualified(Pod pod) => pod.Spec is { Subdomain: { Length: > 0 } subdomain, HostnameOverride: null or "" }
        ? $"{Short(pod)}.{subdomain}.{PodIdentity.Namespace(pod)}.svc.{ClusterDomain}"
        : null;

    /// <summary>What the kernel is told; empty for a pod on the cell's network, which shares the cell's name too.</summary>
    public static string ForKernel(Pod pod) => pod.Spec switch
    {
        { HostNetwork: true } => "",
        { SetHostnameAsFQDN: true } => FullyQualified(pod) ?? Short(pod),
        _ => Short(pod),
    };
}
