using Kip.Agents;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.VirtualKubelet.Pods;
using Kip.VirtualKubelet.Resolution;
using Kip.VirtualKubelet.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests.Resolution;

public sealed class ClaimResolverTests : IDisposable
{
    private readonly FakeObjects _objects;
    private readonly PodResolver _resolver;
    private readonly List<ObjectKey> _changed = [];

    public ClaimResolverTests()
    {
        var clock = new VirtualClock();
        _objects = new FakeObjects(clock);
        _resolver = new PodResolver(_objects, new ClusterDns([], "cluster.local"), new PodEvents(new RecordedEvents()), clock, NullLogger<PodResolver>.Instance);
        _resolver.Changed += _changed.Add;
    }

    public void Dispose() => _resolver.Dispose();

    [Fact]
    public async Task Claim_ThatIsBound_IsItsVolume_AndBothAreFollowed()
    {
        _objects.Put(Claim("data", volume: "pv-1"));
        _objects.Put(Volume("pv-1", "data"));

        var found = Assert.Single((await ResolveAsync(Pod("data"))).PersistentVolumes);

        Assert.Equal(("v", "pv-1", false), (found.Name, found.Volume.Metadata.Name, found.ReadOnly));
        Assert.Contains(new ObjectId(ObjectKind.PersistentVolumeClaim, "ns", "data"), _objects.Followed);
        Assert.Contains(new ObjectId(ObjectKind.PersistentVolume, "", "pv-1"), _objects.Followed);
    }

    [Fact]
    public async Task Claim_ThatIsNotThereOrNotBound_IsWaitedFor()
    {
        Assert.Contains("persistentvolumeclaim \"data\" not found", await FailAsync(Pod("data")), StringComparison.Ordinal);

        _objects.Put(Claim("data", volume: null));
        Assert.Contains("persistentvolumeclaim \"data\" is not bound to a volume yet (storage class: fast)", await FailAsync(Pod("data")), StringComparison.Ordinal);

        _changed.Clear();
        _objects.Put(Claim("data", volume: "pv-1"));
        Assert.Equal([new ObjectKey("ns", "pod")], _changed);
        Assert.Contains("persistentvolume \"pv-1\" of persistentvolumeclaim \"data\" not found", await FailAsync(Pod("data")), StringComparison.Ordinal);

        _changed.Clear();
        _objects.Put(Volume("pv-1", "data"));
        Assert.Equal([new ObjectKey("ns", "pod")], _changed);
        Assert.Single((await ResolveAsync(Pod("data"))).PersistentVolumes);
    }

    [Fact]
    public async Task Claim_WhoseVolumeHasAnotherClaim_OrIsLost_IsRefused()
    {
        _objects.Put(Claim("data", volume: "pv-1"));
        _objects.Put(Volume("pv-1", "other"));
        Assert.Contains("is bound to another claim", await FailAsync(Pod("data")), StringComparison.Ordinal);

        _objects.Put(Claim("data", volume: "pv-1", phase: "Lost"));
        Assert.Contains("has lost its volume pv-1", await FailAsync(Pod("data")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Claim_ThatIsBeingDeleted_TakesNoNewPod_ButKeepsThoseItHas()
    {
        var claim = Claim("data", volume: "pv-1");
        claim.Metadata.DeletionTimestamp = DateTimeOffset.UnixEpoch;
        _objects.Put(claim);
        _objects.Put(Volume("pv-1", "data"));
        var pod = Pod("data");

        Assert.Equal("can't start pod because persistentvolumeclaim \"data\" is being deleted", await FailAsync(pod));

        pod.Status = new PodStatus { ContainerStatuses = [new ContainerStatus { Name = "main", ContainerID = "containerd://1" }] };
        Assert.Single((await ResolveAsync(pod)).PersistentVolumes);
    }

    [Fact]
    public async Task Ephemeral_TakesTheClaimOfItsName_IfItIsThePodsOwn()
    {
        var pod = Pod("unused");
        pod.Spec.Volumes = [new Volume { Name = "v", Ephemeral = new EphemeralVolumeSource() }];
        Assert.Contains("kube-controller-manager makes it for ephemeral volume v", await FailAsync(pod), StringComparison.Ordinal);

        var claim = Claim("pod-v", volume: "pv-1");
        _objects.Put(claim);
        _objects.Put(Volume("pv-1", "pod-v"));
        Assert.Contains("\"pod-v\" was not created for the pod", await FailAsync(pod), StringComparison.Ordinal);

        claim.Metadata.OwnerReferences = [new OwnerReference { Kind = "Pod", Name = "pod", Uid = "another", Controller = true }];
        Assert.Contains("\"pod-v\" was not created for the pod", await FailAsync(pod), StringComparison.Ordinal);

        claim.Metadata.OwnerReferences[0].Uid = "uid";
        Assert.Equal("pv-1", Assert.Single((await ResolveAsync(pod)).PersistentVolumes).Volume.Metadata.Name);
    }

    [Theory]
    [InlineData("Block", true, "has volumeMode Block, but is specified in volumeMounts of container main")]
    [InlineData("Block", false, null)]
    [InlineData(null, true, null)]
    [InlineData("Filesystem", false, "has volumeMode Filesystem, but is specified in volumeDevices of container main")]
    public async Task Mode_OfVolume_MustBeThatOfItsUse(string? mode, bool isMounted, string? problem)
    {
        _objects.Put(Claim("data", volume: "pv-1"));
        var volume = Volume("pv-1", "data");
        volume.Spec.VolumeMode = mode;
        _objects.Put(volume);
        var pod = Pod("data");
        pod.Spec.Containers[0].VolumeMounts = isMounted ? [new VolumeMount { Name = "v", MountPath = "/v" }] : null;
        pod.Spec.Containers[0].VolumeDevices = isMounted ? null : [new VolumeDevice { Name = "v", DevicePath = "/dev/v" }];

        if (problem is null)
        {
            Assert.Single((await ResolveAsync(pod)).PersistentVolumes);
        }
        else
        {
            Assert.Contains(problem, await FailAsync(pod), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ReadOnly_OfPodOrVolume_IsReadOnly()
    {
        _objects.Put(Claim("data", volume: "pv-1"));
        var volume = Volume("pv-1", "data");
        _objects.Put(volume);
        var pod = Pod("data");
        pod.Spec.Volumes![0].PersistentVolumeClaim!.ReadOnly = true;
        Assert.True((await ResolveAsync(pod)).PersistentVolumes[0].ReadOnly);

        volume.Spec.Csi!.ReadOnly = true;
        Assert.True((await ResolveAsync(Pod("data"))).PersistentVolumes[0].ReadOnly);
    }

    private static Pod Pod(string claim) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = "pod", Uid = "uid" },
        Spec = new PodSpec
        {
            Containers = [new Container { Name = "main", Image = "i" }],
            Volumes = [new Volume { Name = "v", PersistentVolumeClaim = new PersistentVolumeClaimVolumeSource { ClaimName = claim } }],
        },
    };

    private static PersistentVolumeClaim Claim(string name, string? volume, string? phase = null) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = $"uid-{name}" },
        Spec = new PersistentVolumeClaimSpec { VolumeName = volume, StorageClassName = "fast" },
        Status = new PersistentVolumeClaimStatus { Phase = phase ?? (volume is null ? "Pending" : "Bound") },
    };

    private static PersistentVolume Volume(string name, string claim) => new()
    {
        Metadata = new ObjectMeta { Name = name },
        Spec = new PersistentVolumeSpec
        {
            Csi = new CsiPersistentVolumeSource { Driver = "d", VolumeHandle = "h" },
            ClaimRef = new ClaimReference { Namespace = "ns", Name = claim, Uid = $"uid-{claim}" },
        },
    };

    private Task<PodAssignment> ResolveAsync(Pod pod) => _resolver.ResolveAsync(pod, CancellationToken.None);

    private async Task<string> FailAsync(Pod pod) => (await Assert.ThrowsAsync<PodResolutionException>(() => ResolveAsync(pod))).Message;
}
