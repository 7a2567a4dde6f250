using Kip.Agent.Pods;
using Kip.Kubernetes;

namespace Kip.Agent.Tests.Pods;

public sealed class UnsupportedFieldsTests
{
    [Theory]
    [InlineData("""{"volumes":[{"name":"v"},{"name":"w","csi":{}}],"containers":[{"name":"a"}]}""", "spec.volumes[1].csi")]
    [InlineData("""{"volumes":[{"name":"v","emptyDir":{"medium":"HugePages-x"}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].emptyDir.medium")]
    [InlineData("""{"volumes":[{"name":"v","image":{"reference":"r"}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].image")]
    [InlineData("""{"hostUsers":false,"containers":[{"name":"a"}]}""", "spec.hostUsers")]
    [InlineData("""{"securityContext":{"supplementalGroupsPolicy":"Strict"},"containers":[{"name":"a"}]}""", "spec.securityContext.supplementalGroupsPolicy")]
    [InlineData("""{"volumes":[{"name":"v","downwardAPI":{"items":[{"path":"p","fieldRef":{"fieldPath":"spec.x"}}]}}],"containers":[{"name":"a"}]}""", "spec.volumes[0].downwardAPI.items[0].fieldRef")]
    [InlineData("""{"containers":[{"name":"a","env":[{"name":"X","valueFrom":{"resourceFieldRef":{"resource":"limits.gpu"}}}]}]}""", "spec.containers[0].env[0].valueFrom.resourceFieldRef")]
    [InlineData("""{"initContainers":[{"name":"i","lifecycle":{}}],"containers":[{"name":"a"}]}""", "spec.initContainers[0].lifecycle")]
    [InlineData("""{"os":{"name":"windows"},"containers":[{"name":"a"}]}""", "spec.os")]
    [InlineData("""{"resourceClaims":[],"containers":[{"name":"a"}]}""", "spec.resourceClaims")]
    [InlineData("""{"securityContext":{"windowsOptions":{}},"containers":[{"name":"a"}]}""", "spec.securityContext.windowsOptions")]
    [InlineData("""{"containers":[{"name":"a","resources":{"claims":[{}]}}]}""", "spec.containers[0].resources.claims")]
    [InlineData("""{"containers":[{"name":"a","securityContext":{"windowsOptions":{}}}]}""", "spec.containers[0].securityContext.windowsOptions")]
    [InlineData("""{"containers":[{"name":"a","lifecycle":{"stopSignal":"SIGNONE"}}]}""", "spec.containers[0].lifecycle.stopSignal")]
    [InlineData("""{"containers":[{"name":"a","securityContext":{"seccompProfile":{"type":"Localhost","localhostProfile":"../p"}}}]}""", "spec.containers[0].securityContext.seccompProfile.localhostProfile")]
    [InlineData("""{"ephemeralContainers":[{"name":"e","lifecycle":{}}],"containers":[{"name":"a"}]}""", "spec.ephemeralContainers[0].lifecycle")]
    [InlineData("""{"securityContext":{"seccompProfile":{"type":"Localhost"}},"containers":[{"name":"a"}]}""", "spec.securityContext.seccompProfile.localhostProfile")]
    public void Find_WithWhatItCannotDo_NamesIt(string spec, string field) => Assert.Equal([field], Find(spec));

    [Theory]
    [InlineData("awsElasticBlockStore", "spec.volumes[0].awsElasticBlockStore")]
    [InlineData("azureDisk", "spec.volumes[0].azureDisk")]
    [InlineData("azureFile", "spec.volumes[0].azureFile")]
    [InlineData("cephfs", "spec.volumes[0].cephfs")]
    [InlineData("cinder", "spec.volumes[0].cinder")]
    [InlineData("csi", "spec.volumes[0].csi")]
    [InlineData("fc", "spec.volumes[0].fc")]
    [InlineData("flexVolume", "spec.volumes[0].flexVolume")]
    [InlineData("flocker", "spec.volumes[0].flocker")]
    [InlineData("gcePersistentDisk", "spec.volumes[0].gcePersistentDisk")]
    [InlineData("gitRepo", "spec.volumes[0].gitRepo")]
    [InlineData("glusterfs", "spec.volumes[0].glusterfs")]
    [InlineData("image", "spec.volumes[0].image")]
    [InlineData("iscsi", "spec.volumes[0].iscsi")]
    [InlineData("photonPersistentDisk", "spec.volumes[0].photonPersistentDisk")]
    [InlineData("portworxVolume", "spec.volumes[0].portworxVolume")]
    [InlineData("quobyte", "spec.volumes[0].quobyte")]
    [InlineData("rbd", "spec.volumes[0].rbd")]
    [InlineData("scaleIO", "spec.volumes[0].scaleIO")]
    [InlineData("storageos", "spec.volumes[0].storageos")]
    [InlineData("vsphereVolume", "spec.volumes[0].vsphereVolume")]
    public void Find_WithAVolumeOfAnotherKind_NamesIt(string source, string field) =>
        Assert.Equal([field], Find($$$"""{"volumes":[{"name":"v","{{{source}}}":{}}],"containers":[{"name":"a"}]}"""));

    [Fact]
    [PodField("spec.containers[].env[].valueFrom.fileKeyRef", Refused = true)]
    public void Find_WithAKeyOfAFile_FindsTheVariable() => Assert.Equal(
        ["spec.containers[0].env[0].valueFrom"], Find("""{"containers":[{"name":"a","env":[{"name":"X","valueFrom":{"fileKeyRef":{"key":"k"}}}]}]}"""));

    [Theory]
    [InlineData("""{"resources":{"claims":[{}]},"containers":[{"name":"a"}]}""", "spec.resources.claims")]
    [InlineData("""{"containers":[{"name":"a","resources":{"limits":{"amd.com/gpu":"1"}}}]}""", "spec.containers[0].resources.limits[amd.com/gpu]")]
    [InlineData("""{"containers":[{"name":"a","restartPolicyRules":[{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[1]}}]}]}""", "spec.containers[0].restartPolicyRules[0]")]
    public void Find_WithAValueThatItCannotDo_FindsIt(string spec, string field) => Assert.Equal([field], Find(spec));

    [Fact]
    public void Find_WithAVolumeOfTheFuture_FindsIt() =>
        Assert.Equal(["spec.volumes[0].future"], Find("""{"volumes":[{"name":"v","future":{}}],"containers":[{"name":"a"}]}"""));

    [Theory]
    [InlineData("""{"containers":[{"name":"a","env":[{"name":"X","valueFrom":{"secretKeyRef":{"key":"k"}}}]}]}""", "spec.containers[0].env[0].valueFrom")]
    [InlineData("""{"containers":[{"name":"a","envFrom":[{"prefix":"x"}]}]}""", "spec.containers[0].envFrom")]
    public void Find_WithWhatTheControllerResolves_WaitsForIt(string spec, string field) => Assert.Equal([field], Find(spec));

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
