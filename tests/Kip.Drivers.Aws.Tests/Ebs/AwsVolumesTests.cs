using System.Net;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Drivers.Aws.Tests.Ebs;

public sealed class AwsVolumesTests : IDisposable
{
    private const string Id = "vol-0123456789abcdef0";
    private static readonly AttachableVolume Disk = new(Id);

    private readonly FakeAws _aws = new();
    private readonly VirtualClock _clock = new();
    private readonly AwsDriver _driver;
    private readonly Queue<string> _states = new();

    public AwsVolumesTests()
    {
        _aws.Answer("DescribeInstances", call => call.Filter("instance-id") is { } id and ("i-1" or "i-2") ? FakeAws.Instances("", FakeAws.Instance(id, "running")) : FakeAws.Instances(""));
        _aws.Answer("DescribeVolumes", call => FakeAws.Xml(HttpStatusCode.OK, call["VolumeId.1"] is null
            ? $"<r><volumeSet><item><volumeId>vol-00000002</volumeId><attachmentSet>{Attachment("i-1", "attached", "/dev/xvda")}{Attachment("i-9", "attached", "/dev/xvdcc")}</attachmentSet></item></volumeSet></r>"
            : $"<r><volumeSet>{(_states.Count > 1 ? _states.Dequeue() : _states.Peek())}</volumeSet></r>"));
        _driver = _aws.MakeDriver(timeProvider: _clock);
    }

    public void Dispose()
    {
        _driver.Dispose();
        _aws.Dispose();
    }

    [Theory]
    [InlineData("{csi: {driver: ebs.csi.aws.com, volumeHandle: vol-0123456789abcdef0}}", Id, null)]
    [InlineData("{awsElasticBlockStore: {volumeID: 'aws://us-east-1a/vol-0123456789abcdef0', fsType: ext4}}", Id, "us-east-1a")]
    [InlineData("{awsElasticBlockStore: {volumeID: 'aws:///vol-0123456789abcdef0'}}", Id, null)]
    [InlineData("{awsElasticBlockStore: {volumeID: vol-12345678}}", "vol-12345678", null)]
    public void Identify_VolumeOfEbs_HasItsId(string spec, string id, string? zone) => Assert.Equal(new AttachableVolume(id, zone), _driver.Identify(Volume(spec)));

    [Theory]
    [InlineData("{csi: {driver: efs.csi.aws.com, volumeHandle: fs-1}}")]
    [InlineData("{nfs: {server: a, path: /}}")]
    [InlineData("{gcePersistentDisk: {pdName: a}}")]
    public void Identify_AnotherVolume_IsNone(string spec) => Assert.Null(_driver.Identify(Volume(spec)));

    [Theory]
    [InlineData("{csi: {driver: ebs.csi.aws.com, volumeHandle: disk-1}}", "spec.csi.volumeHandle: \"disk-1\" is not the id of a volume")]
    [InlineData("{csi: {driver: ebs.csi.aws.com}}", "spec.csi.volumeHandle: \"\" is not the id of a volume")]
    [InlineData("{awsElasticBlockStore: {volumeID: 'aws://us-east-1a/disk/vol-12345678'}}", "spec.awsElasticBlockStore.volumeID: \"aws://us-east-1a/disk/vol-12345678\" is not the id of a volume")]
    public void Identify_VolumeWithAnImpossibleName_SaysWhere(string spec, string problem)
    {
        var error = Assert.Throws<DriverException>(() => _driver.Identify(Volume(spec)));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, error.Kind);
        Assert.StartsWith(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Attach_FreeVolume_WaitsUntilTheCellHasIt()
    {
        Is(Item("available"), Item("in-use", Attachment("i-1", "attaching", "/dev/xvddb")), Item("in-use", Attachment("i-1", "attaching", "/dev/xvddb")), Item("in-use", Attachment("i-1", "attached", "/dev/xvddb")));

        var device = await RunAsync(() => _driver.AttachAsync("i-1", Disk, readOnly: false, default));

        Assert.Equal("vol0123456789abcdef0", device.Serial);
        Assert.Equal(["/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0", "/dev/xvddb"], device.Paths);
        Assert.Equal((1, TimeSpan.FromSeconds(2)), (_aws.Count("AttachVolume"), _clock.Elapsed));
        var call = _aws.Last("AttachVolume");
        Assert.Equal((Id, "i-1"), (call["VolumeId"], call["InstanceId"]));
        Assert.Matches("^/dev/xvd[b-d][a-z]$", call["Device"]!);
    }

    [Fact]
    public async Task Attach_VolumeThatIsThere_AnswersTheSame_AndChangesNothing()
    {
        Is(Item("in-use", Attachment("i-1", "attached", "/dev/xvddb")));

        Assert.Equal("vol0123456789abcdef0", (await _driver.AttachAsync("i-1", Disk, readOnly: true, default)).Serial);
        Assert.Equal(0, _aws.Count("AttachVolume"));
    }

    [Fact]
    public async Task Attach_VolumeOfAnotherInstance_IsToBeTriedAgain()
    {
        Is(Item("in-use", Attachment("i-2", "attached", "/dev/xvdba")));

        var error = await Assert.ThrowsAsync<DriverException>(() => _driver.AttachAsync("i-1", Disk, readOnly: false, default));

        Assert.Equal((DriverErrorKind.Transient, $"cannot attach {Id} to i-1: it is attached at i-2, and a volume of its type can be at one instance only"), (error.Kind, error.Message));
        Assert.Equal(0, _aws.Count("AttachVolume"));
    }

    [Fact]
    public async Task Attach_VolumeForSeveral_ThatAnotherInstanceHas_IsAttachedHereToo()
    {
        Is(Item("in-use", Attachment("i-2", "attached", "/dev/xvdba"), "<multiAttachEnabled>true</multiAttachEnabled>"), Item("in-use", Attachment("i-1", "attached", "/dev/xvdbb")));

        await RunAsync(() => _driver.AttachAsync("i-1", Disk, readOnly: false, default));

        Assert.Equal(1, _aws.Count("AttachVolume"));
    }

    [Fact]
    public async Task Attach_WhenAnotherWasFasterWithTheName_TakesTheNext()
    {
        Is(Item("available"), Item("available"), Item("in-use", Attachment("i-1", "attached", "/dev/xvddb")));
        _aws.Fail("AttachVolume", "InvalidParameterValue", "Invalid value '/dev/xvdba' for unixDevice. Attachment point /dev/xvdba is already in use", times: 1);

        await RunAsync(() => _driver.AttachAsync("i-1", Disk, readOnly: false, default));

        Assert.Equal(2, _aws.Count("AttachVolume"));
    }

    [Theory]
    [InlineData("InvalidVolume.ZoneMismatch", DriverErrorKind.InvalidConfiguration, "the volume and the cell are in different zones")]
    [InlineData("AttachmentLimitExceeded", DriverErrorKind.Quota, "the instance takes no more volumes")]
    [InlineData("IncorrectState", DriverErrorKind.Transient, "what AWS says")]
    [InlineData("VolumeInUse", DriverErrorKind.Transient, "what AWS says")]
    [InlineData("InvalidInstanceID.NotFound", DriverErrorKind.NotFound, "")]
    public async Task Attach_ThatEc2Refuses_SaysWhy(string code, DriverErrorKind kind, string reason)
    {
        Is(Item("available"));
        _aws.Fail("AttachVolume", code);

        var error = await Assert.ThrowsAsync<DriverException>(() => RunAsync(() => _driver.AttachAsync("i-1", Disk, readOnly: false, default)));

        Assert.Equal(kind, error.Kind);
        Assert.StartsWith($"cannot attach {Id} to i-1: {reason}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Attach_VolumeThatDoesNotExist_IsNotFound()
    {
        _aws.Fail("DescribeVolumes", "InvalidVolume.NotFound");

        var error = await Assert.ThrowsAsync<DriverException>(() => _driver.AttachAsync("i-1", Disk, readOnly: false, default));

        Assert.Equal(DriverErrorKind.NotFound, error.Kind);
    }

    [Fact]
    public async Task Attach_ToAnotherControllersInstance_IsNotFound_AndTouchesNothing()
    {
        var error = await Assert.ThrowsAsync<DriverException>(() => _driver.AttachAsync("i-3", Disk, readOnly: false, default));
        await _driver.DetachAsync("i-3", Disk, default);

        Assert.Equal((DriverErrorKind.NotFound, $"cannot attach {Id}: ctl has no instance i-3, or none any more"), (error.Kind, error.Message));
        Assert.Equal(["DescribeInstances"], _aws.Calls.Select(call => call.Action).Distinct());
    }

    [Fact]
    public async Task Attach_ToAnInstanceThatHasEnded_IsNotFound()
    {
        _aws.Answer("DescribeInstances", _ => FakeAws.Instances("", FakeAws.Instance("i-1", "terminated")));

        Assert.Equal(DriverErrorKind.NotFound, (await Assert.ThrowsAsync<DriverException>(() => _driver.AttachAsync("i-1", Disk, readOnly: false, default))).Kind);
    }

    [Fact]
    public async Task Detach_AttachedVolume_WaitsUntilItIsFree()
    {
        Is(Item("in-use", Attachment("i-1", "attached", "/dev/xvdba")), Item("in-use", Attachment("i-1", "detaching", "/dev/xvdba")), Item("in-use", Attachment("i-1", "busy", "/dev/xvdba")), Item("available"));

        await RunAsync(async () =>
        {
            await _driver.DetachAsync("i-1", Disk, default);
            return true;
        });

        Assert.Equal((1, TimeSpan.FromSeconds(2)), (_aws.Count("DetachVolume"), _clock.Elapsed));
        Assert.Equal("i-1", _aws.Last("DetachVolume")["InstanceId"]);
    }

    [Theory]
    [InlineData("available", "")]
    [InlineData("in-use", "i-2")]
    public async Task Detach_VolumeThatIsNotThere_DoesNothing(string state, string at)
    {
        Is(Item(state, at.Length > 0 ? Attachment(at, "attached", "/dev/xvdba") : ""));

        await _driver.DetachAsync("i-1", Disk, default);

        Assert.Equal(0, _aws.Count("DetachVolume"));
    }

    [Fact]
    public async Task Detach_WhileTheInstanceEnds_WaitsForIt()
    {
        Is(Item("in-use", Attachment("i-1", "attached", "/dev/xvdba")), Item("available"));
        _aws.Fail("DetachVolume", "IncorrectState");

        await RunAsync(async () =>
        {
            await _driver.DetachAsync("i-1", Disk, default);
            return true;
        });
    }

    private static PersistentVolume Volume(string spec) =>
        Manifest.ReadConfiguration($"{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v}}, spec: {spec}}}", "volume", KubernetesJsonContext.Default.PersistentVolume).Value;

    private static string Item(string state, string attachments = "", string more = "") =>
        $"<item><volumeId>{Id}</volumeId><status>{state}</status>{more}<attachmentSet>{attachments}</attachmentSet></item>";

    private static string Attachment(string instance, string state, string device) =>
        $"<item><instanceId>{instance}</instanceId><status>{state}</status><device>{device}</device></item>";

    private void Is(params string[] states)
    {
        foreach (var state in states)
        {
            _states.Enqueue(state);
        }
    }

    private async Task<T> RunAsync<T>(Func<Task<T>> act)
    {
        T? result = default;
        await _clock.RunAsync(async () => result = await act());
        return result!;
    }
}
