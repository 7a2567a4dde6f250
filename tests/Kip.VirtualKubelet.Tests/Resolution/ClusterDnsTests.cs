using System.Net;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Resolution;

namespace Kip.VirtualKubelet.Tests.Resolution;

public sealed class ClusterDnsTests
{
    private readonly ClusterDns _dns = new([IPAddress.Parse("10.0.0.10")], "cluster.local");

    [Theory]
    [InlineData(null, false, true)]
    [InlineData("ClusterFirst", false, true)]
    [InlineData("ClusterFirst", true, false)]
    [InlineData("ClusterFirstWithHostNet", true, true)]
    [InlineData("Default", false, false)]
    [InlineData("None", false, false)]
    [PodField("spec.dnsPolicy")]
    public void Apply_EachPolicy_IsTheKubelets(string? policy, bool hostNetwork, bool clusters)
    {
        var spec = new PodSpec { DnsPolicy = policy, HostNetwork = hostNetwork };
        _dns.Apply(spec, "shop");
        Assert.Equal(clusters, spec.DnsConfig?.Searches?.Contains("shop.svc.cluster.local") == true);
        Assert.Equal(clusters ? "None" : policy, spec.DnsPolicy);
    }

    [Fact]
    [PodField("spec.dnsConfig")]
    public void Apply_OwnConfiguration_IsAddedBehind()
    {
        var spec = new PodSpec
        {
            DnsConfig = new PodDnsConfig
            {
                Nameservers = ["10.0.0.10", "1.1.1.1", "2.2.2.2", "3.3.3.3"],
                Searches = ["example.org", "cluster.local"],
                Options = [new() { Name = "ndots", Value = "2" }, new() { Name = "edns0" }],
            },
        };
        _dns.Apply(spec, "shop");
        Assert.Equal(["10.0.0.10", "1.1.1.1", "2.2.2.2"], spec.DnsConfig.Nameservers);
        Assert.Equal(["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"], spec.DnsConfig.Searches);
        Assert.Equal(["ndots=2", "edns0="], spec.DnsConfig.Options.Select(static o => $"{o.Name}={o.Value}"));
    }

    [Fact]
    public void Apply_WithoutServers_LeavesThePodAsItIs()
    {
        var spec = new PodSpec();
        new ClusterDns([], "cluster.local").Apply(spec, "shop");
        Assert.Null(spec.DnsConfig);
        Assert.Null(spec.DnsPolicy);
    }
}
