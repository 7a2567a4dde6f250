using Google.Protobuf;
using Kip.Agent.Pods;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

public sealed class PodReaderTests
{
    private static readonly Pod _pod = new()
    {
        Metadata = new() { Name = "p", Uid = "u" },
        Spec = new() { Containers = [new() { Name = "a" }], Volumes = [new() { Name = "v", Secret = new() { SecretName = "s" } }] },
    };

    [Theory]
    [InlineData("../escape", 420, 0)]
    [InlineData("a/../../escape", 420, 0)]
    [InlineData("/etc/passwd", 420, 0)]
    [InlineData("..data", 420, 0)]
    [InlineData("a//b", 420, 0)]
    [InlineData("a/./b", 420, 0)]
    [InlineData("", 420, 0)]
    [InlineData("a\0b", 420, 0)]
    [InlineData("a", 4095, 0)]
    [InlineData("a", -1, 0)]
    [InlineData("a", 420, -1)]
    [InlineData("a", 420, 4294967295)]
    public void CheckVolumes_WithABadFile_IsRefused(string path, int mode, long owner)
    {
        var error = Assert.Throws<RpcException>(() => PodReader.CheckVolumes(Request(path, mode, owner), _pod));

        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
    }

    [Fact]
    public void CheckVolumes_WithAGoodFile_IsTaken() => PodReader.CheckVolumes(Request("a/..b/c..", 511, 1000), _pod);

    [Fact]
    public void CheckVolumes_WithoutContentsThatAreNeeded_NamesTheVolume()
    {
        var error = Assert.Throws<RpcException>(() => PodReader.CheckVolumes(new ApplyPodRequest(), _pod));

        Assert.Equal("spec.volumes: the contents of 'v', which come from API objects, are missing", error.Status.Detail);
    }

    [Theory]
    [InlineData(64, null, true)]
    [InlineData(65, null, false)]
    [InlineData(65, true, true)]
    public void Read_WithAnFqdnAsHostname_TakesWhatTheKernelTakes(int length, bool? hostNetwork, bool isGood)
    {
        const string rest = ".web.default.svc.cluster.local";
        var pod = new Pod
        {
            Metadata = new() { Name = new string('p', length - rest.Length), Uid = "u" },
            Spec = new() { Subdomain = "web", SetHostnameAsFQDN = true, HostNetwork = hostNetwork, Containers = [new() { Name = "a" }] },
        };
        var request = new ApplyPodRequest { Pod = ByteString.CopyFrom(Kip.Kubernetes.KubernetesJson.SerializeToUtf8(pod)) };

        var error = Record.Exception(() => PodReader.Read(request));

        Assert.Equal(
            isGood ? null : $"spec.setHostnameAsFQDN: '{pod.Metadata.Name}{rest}' has 65 characters, and a host name may have 64",
            (error as RpcException)?.Status.Detail);
    }

    private static ApplyPodRequest Request(string path, int mode, long owner) => new()
    {
        Volumes = { new ResolvedVolume { Name = "v", Files = { new ResolvedFile { Path = path, Mode = mode, Owner = owner, Data = ByteString.Empty } } } },
    };
}
