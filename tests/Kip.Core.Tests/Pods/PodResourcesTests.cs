using Kip.Kubernetes;
using Kip.Pods;

namespace Kip.Core.Tests.Pods;

public class PodResourcesTests
{
    [Theory]
    [InlineData("one container", "{containers: [{name: a, resources: {requests: {cpu: 500m, memory: 1Gi}}}]}", 500, 1024)]
    [InlineData("sum of containers", "{containers: [{name: a, resources: {requests: {cpu: 1, memory: 1Gi}}}, {name: b, resources: {requests: {cpu: 250m, memory: 512Mi}}}]}", 1250, 1536)]
    [InlineData("limit stands in for a missing request", "{containers: [{name: a, resources: {limits: {cpu: 2, memory: 2Gi}}}]}", 2000, 2048)]
    [InlineData("request wins over limit", "{containers: [{name: a, resources: {requests: {cpu: 1}, limits: {cpu: 2, memory: 1Gi}}}]}", 1000, 1024)]
    [InlineData("large init container", "{initContainers: [{name: i, resources: {requests: {cpu: 3, memory: 64Mi}}}], containers: [{name: a, resources: {requests: {cpu: 1, memory: 1Gi}}}]}", 3000, 1024)]
    [InlineData("init containers run one after the other", "{initContainers: [{name: i, resources: {requests: {cpu: 1}}}, {name: j, resources: {requests: {cpu: 2}}}], containers: [{name: a, resources: {requests: {cpu: 500m}}}]}", 2000, 0)]
    [InlineData("sidecar runs beside the containers", "{initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: 1, memory: 256Mi}}}], containers: [{name: a, resources: {requests: {cpu: 1, memory: 256Mi}}}]}", 2000, 512)]
    [InlineData("init container beside the sidecar started before it", "{initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: 1}}}, {name: i, resources: {requests: {cpu: 2}}}], containers: [{name: a, resources: {requests: {cpu: 1}}}]}", 3000, 0)]
    [InlineData("sidecar started after the init container does not count beside it", "{initContainers: [{name: i, resources: {requests: {cpu: 2}}}, {name: s, restartPolicy: Always, resources: {requests: {cpu: 1}}}], containers: [{name: a, resources: {requests: {cpu: 500m}}}]}", 2000, 0)]
    [InlineData("overhead is added", "{overhead: {cpu: 100m, memory: 64Mi}, containers: [{name: a, resources: {requests: {cpu: 1, memory: 1Gi}}}]}", 1100, 1088)]
    [InlineData("pod-level requests replace the sum", "{resources: {requests: {cpu: 4}}, containers: [{name: a, resources: {requests: {cpu: 1, memory: 1Gi}}}]}", 4000, 1024)]
    [InlineData("huge pages are memory", "{containers: [{name: a, resources: {requests: {memory: 1Gi}, limits: {hugepages-2Mi: 512Mi}}}]}", 0, 1536)]
    [InlineData("nothing asked", "{containers: [{name: a}]}", 0, 0)]
    public void Effective_FollowsTheSchedulersFormula(string what, string spec, long milliCpu, long mebibytes)
    {
        var pod = Manifest.ReadPod($"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {spec}}}", what).Pod;

        var request = PodResources.Effective(pod);

        Assert.Equal((milliCpu, mebibytes << 20), (request.MilliCpu, request.MemoryBytes));
    }

    [Fact]
    public void Effective_FractionsOfAMilliCpu_AreRoundedUp()
    {
        var pod = Manifest.ReadPod(
            "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {requests: {cpu: 100u, memory: 1500m}}}]}}",
            "fractions").Pod;

        var request = PodResources.Effective(pod);

        Assert.Equal((1L, 2L), (request.MilliCpu, request.MemoryBytes));
    }

    [Theory]
    [InlineData("{containers: [{name: a, resources: {requests: {cpu: 500m}}}]}", "500m: containers 500m")]
    [InlineData("{initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: 250m}}}], containers: [{name: a, resources: {requests: {cpu: 500m}}}]}", "750m: containers 500m + sidecars 250m")]
    [InlineData("{overhead: {cpu: 10m}, initContainers: [{name: i, resources: {requests: {cpu: 2}}}], containers: [{name: a, resources: {requests: {cpu: 500m}}}]}", "2010m: initialisation 2, more than containers 500m + overhead 10m")]
    [InlineData("{resources: {requests: {cpu: 4}}, containers: [{name: a, resources: {requests: {cpu: 500m}}}]}", "4: pod-level 4")]
    public void Explain_SaysHowTheAmountComesAbout(string spec, string text) =>
        Assert.Equal(text, PodResources.Explain(Manifest.ReadPod($"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {spec}}}", "explain").Pod.Spec, "cpu").ToString());

    [Fact]
    public void Devices_AreTheExtendedResources()
    {
        var spec = Manifest.ReadPod(
            "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {limits: {nvidia.com/gpu: 1, cpu: 1}}}, {name: b, resources: {limits: {nvidia.com/gpu: 2, example.com/none: 0}}}]}}",
            "devices").Pod.Spec;

        Assert.Equal([KeyValuePair.Create("nvidia.com/gpu", 3L)], PodResources.Devices(spec));
    }
}
