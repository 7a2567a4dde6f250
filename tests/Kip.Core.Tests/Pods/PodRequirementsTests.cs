using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Pods;
using Kip.Sizing;

namespace Kip.Core.Tests.Pods;

public sealed class PodRequirementsTests
{
    private const string Spec = "containers: [{name: a, image: i, resources: {requests: {cpu: 500m, memory: 1Gi}}}]";

    private static readonly InstanceCatalog Catalog = new(
        "r-1",
        [
            Type("x.small", "amd64", 0.03m),
            Type("x.large", "amd64", 0.06m),
            Type("g.small", "arm64", 0.02m),
            Type("p.large", "amd64", 0.50m) with { Gpus = new GpuDevices("nvidia.com/gpu", "nvidia-tesla-t4", 1, 16L << 30) },
            Type("q.large", "amd64", 0.40m) with { Gpus = new GpuDevices("nvidia.com/gpu", "A10G", 1, 22L << 30) },
        ]);

    [Theory]
    [InlineData("", "x.small/r-1a/OnDemand")]
    [InlineData("nodeSelector: {kubernetes.io/arch: arm64}", "g.small/r-1a/OnDemand")]
    [InlineData("nodeSelector: {beta.kubernetes.io/arch: arm64, topology.kubernetes.io/zone: r-1b}", "g.small/r-1b/OnDemand")]
    [InlineData("nodeSelector: {node.kubernetes.io/instance-type: x.large}", "x.large/r-1a/OnDemand")]
    [InlineData("nodeSelector: {karpenter.sh/capacity-type: spot}", "x.small/r-1a/Spot")]
    [InlineData("nodeSelector: {cloud.google.com/gke-spot: 'true'}", "x.small/r-1a/Spot")]
    [InlineData("nodeSelector: {eks.amazonaws.com/capacityType: ON_DEMAND}", "x.small/r-1a/OnDemand")]
    [InlineData("nodeSelector: {type: virtual-kubelet, kubernetes.io/os: linux, topology.kubernetes.io/region: r-1}", "x.small/r-1a/OnDemand")]
    [InlineData("nodeSelector: {kubernetes.io/os: windows}", null)]
    [InlineData("nodeSelector: {topology.kubernetes.io/region: r-2}", null)]
    [InlineData("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [arm64, amd64]}]}]}}}", "g.small/r-1a/OnDemand")]
    [InlineData("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: NotIn, values: [r-1a]}]}]}}}", "x.small/r-1b/OnDemand")]
    [InlineData("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: node.kubernetes.io/instance-type, operator: In, values: [x.large]}, {key: topology.kubernetes.io/zone, operator: In, values: [r-1b]}]}, {matchExpressions: [{key: node.kubernetes.io/instance-type, operator: In, values: [q.large]}]}]}}}", "x.large/r-1b/OnDemand")]
    [InlineData("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: other, operator: Exists}]}]}}}", "x.small/r-1a/OnDemand")]
    [InlineData("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}]}]}}}", "x.small/r-1a/Spot")]
    [InlineData("affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]}}]}}", "x.small/r-1a/OnDemand")]
    public void Read_WhatThePodSaysOfItsNode_ChoosesTheMachine(string spec, string? choice) => Assert.Equal(choice, Choose(Pod("{}", $"{Spec}, {spec}")));

    [Theory]
    [InlineData("{pod.elotl.co/launch-type: spot}", "x.small/r-1a/Spot")]
    [InlineData("{pod.elotl.co/instance-type: 'x.l*'}", "x.large/r-1a/OnDemand")]
    [InlineData("{pod.elotl.co/instance-type: g.small}", "g.small/r-1a/OnDemand")]
    [InlineData("{pod.elotl.co/max-price: '0.01', pod.elotl.co/launch-type: 'on-demand,spot'}", "x.small/r-1a/Spot")]
    [InlineData("{pod.elotl.co/max-price: '0.001'}", null)]
    public void Read_Annotations_ChooseTheMachine(string annotations, string? choice) => Assert.Equal(choice, Choose(Pod(annotations, Spec)));

    [Fact]
    public void Read_AnnotationsOfTheLaunch_AreOptions()
    {
        var pod = Pod("{pod.elotl.co/launch-type: dedicated, pod.elotl.co/security-groups: 'sg-1, sg-2', pod.elotl.co/instance-profile: p, pod.elotl.co/private-ip-only: 'true', pod.elotl.co/cloud-route: 10.9.0.0/16 10.10.0.0/16}", Spec);

        var options = PodRequirements.Read(pod, out _, out _).Options;

        Assert.NotNull(options);
        Assert.Equal((true, "sg-1|sg-2", "p", true), (options.DedicatedHost, string.Join('|', options.SecurityGroups), options.InstanceProfile, options.PrivateAddressOnly));
        Assert.Equal(["10.9.0.0/16", "10.10.0.0/16"], options.Routes);
        Assert.Null(PodRequirements.Read(Pod("{pod.elotl.co/launch-type: spot}", Spec), out _, out _).Options);
    }

    [Theory]
    [InlineData("", "q.large")]
    [InlineData("nodeSelector: {cloud.google.com/gke-accelerator: nvidia-tesla-t4}", "p.large")]
    [InlineData("nodeSelector: {node.elotl.co/gpu-nvidia-tesla-t4: ''}", "p.large")]
    [InlineData("nodeSelector: {nvidia.com/gpu.product: Tesla-T4}", "p.large")]
    [InlineData("nodeSelector: {karpenter.k8s.aws/instance-gpu-name: a10g}", "q.large")]
    public void Read_GpuWithModel_ChoosesTheMachine(string spec, string type)
    {
        var pod = Pod("{}", $"containers: [{{name: a, image: i, resources: {{limits: {{nvidia.com/gpu: 1}}}}}}], {spec}");

        Assert.StartsWith(type, Choose(pod), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("containers: [{name: a, image: i, resources: {requests: {cpu: '-1'}}}]", "spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0")]
    [InlineData("containers: [{name: a, image: i, resources: {limits: {memory: 4Ei}}}]", "spec.containers[0].resources.limits[memory]: Invalid value: \"4Ei\": is more than any machine has (at most 1Ei)")]
    [InlineData("containers: [{name: a, image: i}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/arch, operator: Is}]}]}}}", "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: Unsupported value: \"Is\": supported values: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\", \"Gt\", \"Lt\"")]
    [InlineData("containers: [{name: a, image: i}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/arch, operator: In}]}]}}}", "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when operator is In or NotIn")]
    public void Read_Wrong_NamesTheField(string spec, string error)
    {
        PodRequirements.Read(Pod("{}", spec), out var errors, out _);

        Assert.Equal([error], errors.Select(static e => e.ToString()));
    }

    [Fact]
    public void Read_AnnotationAgainstSelector_NamesBoth()
    {
        var request = PodRequirements.Read(Pod("{pod.elotl.co/instance-type: 'x.*'}", $"{Spec}, nodeSelector: {{kubernetes.io/arch: arm64}}"), out var errors, out _);

        Assert.Empty(errors);
        var problem = InstanceSelector.Explain(request, Catalog).Problem;
        Assert.Contains("both spec.nodeSelector kubernetes.io/arch=arm64 and annotation pod.elotl.co/instance-type: x.*", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_LaunchTypeAgainstLabel_NamesBoth()
    {
        var request = PodRequirements.Read(Pod("{pod.elotl.co/launch-type: on-demand}", $"{Spec}, nodeSelector: {{karpenter.sh/capacity-type: spot}}"), out _, out _);

        var problem = InstanceSelector.Explain(request, Catalog).Problem;
        Assert.Contains("both spec.nodeSelector karpenter.sh/capacity-type=spot and annotation pod.elotl.co/launch-type: on-demand", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_Disk_IsTheLargerOfVolumeSizeAndWhatThePodNeeds()
    {
        var small = PodRequirements.Read(Pod("{pod.elotl.co/volume-size: 100Gi}", Spec), out _, out _);
        var large = PodRequirements.Read(
            Pod("{pod.elotl.co/volume-size: 10Gi}", "containers: [{name: a, image: i, resources: {requests: {ephemeral-storage: 50Gi}}}]"), out _, out _);

        Assert.Equal(100L << 30, small.DiskBytes);
        Assert.Equal((50L << 30) + ResourceRequest.CellOverhead.DiskBytes, large.DiskBytes);
    }

    private static string? Choose(Kip.Kubernetes.Objects.Pod pod)
    {
        var request = PodRequirements.Read(pod, out var errors, out _);
        Assert.Empty(errors);
        var first = InstanceSelector.First(request, Catalog);
        Assert.Equal(InstanceSelector.Rank(request, Catalog).Cast<Candidate?>().FirstOrDefault(), first);
        return first is { } found ? $"{found.Type.Name}/{found.Offering.Zone}/{found.Offering.CapacityType}" : null;
    }

    private static Kip.Kubernetes.Objects.Pod Pod(string annotations, string spec) =>
        Manifest.ReadPod($"{{apiVersion: v1, kind: Pod, metadata: {{name: p, annotations: {annotations}}}, spec: {{{spec.TrimEnd(',', ' ')}}}}}", "pod").Pod;

    private static InstanceType Type(string name, string architecture, decimal price) => new()
    {
        Name = name,
        MilliCpu = 2000,
        MemoryBytes = 4L << 30,
        Architecture = architecture,
        Offerings =
        [
            new Offering("r-1a", CapacityType.OnDemand, price),
            new Offering("r-1b", CapacityType.OnDemand, price),
            new Offering("r-1a", CapacityType.Spot, price * 0.3m),
            new Offering("r-1b", CapacityType.Spot, price * 0.3m),
        ],
    };
}
