using Kip.Kubernetes;
using Kip.Sizing.Compatibility;

namespace Kip.Core.Tests.Sizing;

public sealed class GoKipRequestTests
{
    // Vectors of the Go Kip's own tests; the last ones are its roundings.
    [Theory]
    [InlineData("containers: [{name: a, image: i, resources: {limits: {cpu: 1500m, memory: 1536Mi}, requests: {cpu: 1, memory: 1Gi}}}]", 1.5f, 1.5f, 0, "")]
    [InlineData("containers: [{name: a, image: i, resources: {limits: {nvidia.com/gpu: 2}}}], nodeSelector: {node.elotl.co/gpu-nvidia-tesla-v100: ''}", 0f, 0f, 2, "nvidia-tesla-v100")]
    [InlineData("containers: [{name: a, image: i, resources: {limits: {nvidia.com/gpu: 4}}}], nodeSelector: {cloud.google.com/gke-accelerator: nvidia-tesla-k80}", 0f, 0f, 4, "nvidia-tesla-k80")]
    [InlineData("containers: [{name: a, image: i, resources: {requests: {cpu: 4m}}}]", 0f, 0f, 0, "")]
    [InlineData("containers: [{name: a, image: i, resources: {requests: {memory: 1027Mi}}}], initContainers: [{name: b, image: i, resources: {requests: {cpu: 8}}}]", 0f, 1f, 0, "")]
    public void Read_FollowsTheGoKip(string spec, float cpu, float memory, int gpus, string model) =>
        Assert.Equal(
            new GoKipRequest(cpu, memory, gpus, model),
            GoKipRequest.Read(Manifest.ReadPod($"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{{spec}}}}}", "pod").Pod.Spec));
}
