using Kip.Agent.Pods;
using Kip.Kubernetes;

namespace Kip.Agent.Tests.Pods;

public sealed class UnsupportedFieldsTests
{
    [Theory]
    [InlineData("""{"volumes":[{"name":"v"},{"name":"w","nfs":{}}],"containers":[{"name":"a"}]}""", "spec.volumes[1].nfs")]
    [InlineData("""{"volumes":[{"name":"v","future":{}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].future")]
    [InlineData("""{"volumes":[{"name":"v","emptyDir":{"medium":"HugePages-x"}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].emptyDir.medium")]
    [InlineData("""{"volumes":[{"name":"v","image":{"reference":"r"}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].image")]
    [InlineData("""{"hostUsers":false,"containers":[{"name":"a"}]}""", "spec.hostUsers")]
    [InlineData("""{"resources":{"limits":{"cpu":"1"}},"containers":[{"name":"a"}]}""", "spec.resources")]
    [InlineData("""{"securityContext":{"supplementalGroupsPolicy":"Strict"},"containers":[{"name":"a"}]}""", "spec.securityContext.supplementalGroupsPolicy")]
    [InlineData("""{"volumes":[{"name":"v","downwardAPI":{"items":[{"path":"p","fieldRef":{"fieldPath":"spec.x"}}]}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].downwardAPI.items[0].fieldRef")]
    [InlineData("""{"containers":[{"name":"a","env":[{"name":"X","valueFrom":{"resourceFieldRef":{"resource":"limits.gpu"}}}]}]}""", "spec.containers[0].env[0].valueFrom.resourceFieldRef")]
    [InlineData("""{"initContainers":[{"name":"i","lifecycle":{}}],"containers":[{"name":"a"}]}""", "spec.initContainers[0].lifecycle")]
    [InlineData("""{"containers":[{"name":"a","lifecycle":{"stopSignal":"SIGNONE"}}]}""", "spec.containers[0].lifecycle.stopSignal")]
    [InlineData("""{"containers":[{"name":"a","env":[{"name":"X","valueFrom":{"secretKeyRef":{"key":"k"}}}]}]}""", "spec.containers[0].env[0].valueFrom")]
    [InlineData("""{"containers":[{"name":"a","envFrom":[{"prefix":"x"}]}]}""", "spec.containers[0].envFrom")]
    [InlineData("""{"containers":[{"name":"a","resources":{"limits":{"amd.com/gpu":"1"}}}]}""", "spec.containers[0].resources.limits[amd.com/gpu]")]
    [InlineData("""{"containers":[{"name":"a","restartPolicyRules":[{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[1]}}]}]}""", "spec.containers[0].restartPolicyRules[0]")]
    [InlineData("""{"containers":[{"name":"a","securityContext":{"seccompProfile":{"type":"Localhost","localhostProfile":"../p"}}}]}""", "spec.containers[0].securityContext.seccompProfile.localhostProfile")]
    [InlineData("""{"ephemeralContainers":[{"name":"e","lifecycle":{}}],"containers":[{"name":"a"}]}""", "spec.ephemeralContainers[0].lifecycle")]
    [InlineData("""{"securityContext":{"seccompProfile":{"type":"Localhost"}},"containers":[{"name":"a"}]}""", "spec.securityContext.seccompProfile.localhostProfile")]
    public void Find_WithWhatItCannotDo_NamesIt(string spec, string field) => Assert.Equal([field], Find(spec));

    [Fact]
    public void Find_WithSchedulingFieldsOnly_FindsNothing() => Assert.Empty(Find("""
        {"nodeSelector":{"a":"b"},"tolerations":[{"key":"k"}],"affinity":{},"priority":1,"topologySpreadConstraints":[],"schedulerName":"s",
         "serviceAccountName":"default","preemptionPolicy":"Never","enableServiceLinks":true,
         "containers":[{"name":"a","env":[{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]}]}
        """));

    [Fact]
    public void Find_WithHooks_FindsNothing() => Assert.Empty(Find("""
        {"subdomain":"s","setHostnameAsFQDN":true,"activeDeadlineSeconds":1,
         "initContainers":[{"name":"i","restartPolicy":"Always","lifecycle":{"preStop":{"sleep":{"seconds":1}}}}],
         "containers":[{"name":"a","lifecycle":{"postStart":{"exec":{"command":["a"]}},"preStop":{"tcpSocket":{"port":1}}}}]}
        """));

    private static List<string> Find(string spec) =>
        UnsupportedFields.Find(KubernetesJson.DeserializePod(System.Text.Encoding.UTF8.GetBytes($"{{\"spec\":{spec}}}")));
}
