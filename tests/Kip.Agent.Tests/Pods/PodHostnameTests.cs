using System.Text;
using Kip.Agent.Pods;
using Kip.Kubernetes;

namespace Kip.Agent.Tests.Pods;

public sealed class PodHostnameTests
{
    [Theory]
    [InlineData("{}", "web-0", null, "web-0")]
    [InlineData("""{"hostname":"h"}""", "h", null, "h")]
    [InlineData("""{"subdomain":"s"}""", "web-0", "web-0.s.shop.svc.cluster.local", "web-0")]
    [InlineData("""{"hostname":"h","subdomain":"s"}""", "h", "h.s.shop.svc.cluster.local", "h")]
    [InlineData("""{"hostname":"h","subdomain":"s","setHostnameAsFQDN":true}""", "h", "h.s.shop.svc.cluster.local", "h.s.shop.svc.cluster.local")]
    [InlineData("""{"hostname":"h","setHostnameAsFQDN":true}""", "h", null, "h")]
    [InlineData("""{"subdomain":"s","setHostnameAsFQDN":true,"hostNetwork":true}""", "web-0", "web-0.s.shop.svc.cluster.local", "")]
    [PodField("spec.hostname", "spec.subdomain", "spec.setHostnameAsFQDN")]
    public void Names_ByTheKubeletsRules(string spec, string shortName, string? full, string kernel)
    {
        var pod = KubernetesJson.DeserializePod(Encoding.UTF8.GetBytes(
            $$"""{"metadata":{"name":"web-0","namespace":"shop"},"spec":{{spec}}}"""));

        Assert.Equal((shortName, full, kernel), (PodHostname.Short(pod), PodHostname.FullyQualified(pod), PodHostname.ForKernel(pod)));
    }

    [Fact]
    public void Short_OfALongName_IsALabel()
    {
        var pod = KubernetesJson.DeserializePod(Encoding.UTF8.GetBytes(
            $$"""{"metadata":{"name":"{{new string('a', 60)}}.-.b" } }"""));

        Assert.Equal(new string('a', 60), PodHostname.Short(pod));
    }
}
