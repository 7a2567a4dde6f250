using System.Net;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>
/// Gives pods the resolver that the kubelet gives them: for <c>ClusterFirst</c>, which is the default, the cluster's servers, the search
/// path of the pod's namespace and <c>ndots:5</c>, and then what the pod's own <c>dnsConfig</c> adds.
/// </summary>
/// <param name="servers">Servers that cells reach; empty when there is none, and cells use the resolver of their network.</param>
/// <param name="domain">The cluster's domain, such as <c>cluster.local</c>.</param>
internal sealed class ClusterDns(IReadOnlyList<IPAddress> servers, string domain)
{
    private const int MostServers = 3; // of the C library's resolver; the API server's validation has the same limit

    /// <summary>Makes the policy of a pod explicit. Others than those of the cluster are the cell's.</summary>
    public void Apply(PodSpec spec, string @namespace)
    {
        if (servers.Count == 0 || !IsClusterFirst(spec))
        {
            return;
        }

        var own = spec.DnsConfig;
        var options = own?.Options ?? [];
        spec.DnsPolicy = "None";
        spec.DnsConfig = new PodDnsConfig
        {
            Nameservers = [.. servers.Select(static s => s.ToString()).Concat(own?.Nameservers ?? []).Distinct().Take(MostServers)],
            Searches = [.. new[] { $"{@namespace}.svc.{domain}", $"svc.{domain}", domain }.Concat(own?.Searches ?? []).Distinct()],
            Options = options.Exists(static o => o.Name == "ndots") ? options : [new PodDnsConfigOption { Name = "ndots", Value = "5" }, .. options],
        };
    }

    private static bool IsClusterFirst(PodSpec spec) => spec.DnsPolicy switch
    {
        null or "" or "ClusterFirst" => spec.HostNetwork != true,
        "ClusterFirstWithHostNet" => true,
        _ => false,
    };
}
