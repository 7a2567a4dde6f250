using Kip.Agent.Pods;
using Kip.Kubernetes;

namespace Kip.Agent.Tests.Pods;

public sealed class UnsupportedFieldsTests
{
    [Theory]
    [InlineData("""{"volumes":[{"name":"v"},{"name":"w","nfs":{}}],"containers":[{"name":"a"}]}""", "spec.volumes[1].nfs")]
    [InlineData("""{"volumes":[{"name":"v","future":{}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].future")]
    [InlineData("""{"volumes":[{"name":"v","emptyDir":{"medium":"HugePages"}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].emptyDir.medium")]
    [InlineData("""{"volumes":[{"name":"v","downwardAPI":{"items":[{"path":"p","fieldRef":{"fieldPath":"spec.x"}}]}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].downwardAPI.items[0].fieldRef")]
    [InlineData("""{"containers":[{"name":"a"},{"name":"b","volumeMounts":[{"name":"v","recursiveReadOnly":"Enabled"}]}]}""", "spec.containers[1].volumeMounts[0].recursiveReadOnly")]
    [InlineData("""{"containers":[{"name":"a","env":[{"name":"X","valueFrom":{"resourceFieldRef":{"resource":"limits.gpu"}}}]}]}""", "spec.containers[0].env[0].valueFrom.resourceFieldRef")]
    [InlineData("""{"initContainers":[{"name":"i","lifecycle":{}}],"containers":[{"name":"a"}]}""", "spec.initContainers[0].lifecycle")]
    [InlineData("""{"containers":[{"name":"a","env":[{"name":"X","valueFrom":{"secretKeyRef":{"key":"k"}}}]}]}""", "spec.containers[0].env[0].valueFrom")]
    [InlineData("""{"containers":[{"name":"a","envFrom":[{"prefix":"x"}]}]}""", "spec.containers[0].envFrom")]
    [InlineData("""{"containers":[{"name":"a","resources":{"limits":{"nvidia.com/gpu":"1"}}}]}""", "spec.containers[0].resources.limits[nvidia.com/gpu]")]
    [InlineData("""{"ephemeralContainers":[{"name":"e","lifecycle":{}}],"containers":[{"name":"a"}]}""", "spec.ephemeralContainers[0].lifecycle")]
    [InlineData("""{"securityContext":{"seccompProfile":{"type":"Localhost"}},"containers":[{"name":"a"}]}""", "spec.securityContext.seccompProfile.type")]
    public void Find_WithWhatItCannotDo_NamesIt(string spec, string field) => Assert.Equal([field], Find(spec));

    [Fact]
    public void Find_WithAnAnnotationForAProfileOfTheMachine_NamesIt()
    {
        const string key = "container.apparmor.security.beta.kubernetes.io/a";
        var pod = KubernetesJson.DeserializePod(System.Text.Encoding.UTF8.GetBytes(
            $$$"""{"metadata":{"annotations":{"{{{key}}}":"localhost/mine"}},"spec":{"containers":[{"name":"a"}]}}"""));

        Assert.Equal([$"metadata.annotations[{key}]"], UnsupportedFields.Find(pod));
    }

    [Fact]
    public void Find_WithSchedulingFieldsOnly_FindsNothing() => Assert.Empty(Find("""
        {"nodeSelector":{"a":"b"},"tolerations":[{"key":"k"}],"affinity":{},"priority":1,"topologySpreadConstraints":[],"schedulerName":"s",
         "serviceAccountName":"default","preemptionPolicy":"Never","enableServiceLinks":true,
         "containers":[{"name":"a","env":[{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]}]}
        """));

    private static List<string> Find(string spec) =>
        UnsupportedFields.Find(KubernetesJson.DeserializePod(System.Text.Encoding.UTF8.GetBytes($"{{\"spec\":{spec}}}")));
}
