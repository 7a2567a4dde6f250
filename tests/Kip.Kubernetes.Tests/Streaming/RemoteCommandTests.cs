using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Kip.Kubernetes.Streaming;

namespace Kip.Kubernetes.Tests;

public sealed class RemoteCommandTests
{
    [Theory]
    [InlineData("v4.channel.k8s.io", 0)]
    [InlineData("v4.channel.k8s.io", 42)]
    [InlineData("v5.channel.k8s.io", 137)]
    public void Status_ExitCode_SurvivesTheWire(string protocol, int exitCode)
    {
        var status = RemoteCommandStatus.Parse(RemoteCommandStatus.Exited(exitCode).Serialize(protocol), protocol);

        Assert.Equal(exitCode, status.ExitCode);
    }

    [Theory]
    [InlineData("v4.channel.k8s.io")]
    [InlineData("channel.k8s.io")]
    public void Status_Failure_SurvivesTheWire(string protocol)
    {
        var status = RemoteCommandStatus.Parse(RemoteCommandStatus.Failed("no luck").Serialize(protocol), protocol);

        Assert.Equal((null, "no luck"), (status.ExitCode, status.Message));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"status":"Failure"}""")]
    [InlineData("""{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"x"}]}}""")]
    public void Status_CannotBeRead_IsAFailureWithoutExitCode(string json)
    {
        Assert.Null(RemoteCommandStatus.Parse(Encoding.UTF8.GetBytes(json), "v4.channel.k8s.io").ExitCode);
    }

    [Fact]
    public void TerminalSize_SeveralAndAPart_WholeOnesAreRead()
    {
        var buffer = new ReadOnlySequence<byte>("""{"Width":80,"Height":24} {"Width":100,"Height":30}{"Wid"""u8.ToArray());

        Assert.True(TerminalSizeReader.TryRead(ref buffer, out var first));
        Assert.True(TerminalSizeReader.TryRead(ref buffer, out var second));
        Assert.False(TerminalSizeReader.TryRead(ref buffer, out _));
        Assert.Equal((new TerminalSize(80, 24), new TerminalSize(100, 30)), (first, second));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("""{"Width":-1}""")]
    [InlineData("""{"Width":70000}""")]
    [InlineData("""[1]""")]
    public void TerminalSize_Malformed_Throws(string json)
    {
        var buffer = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(json));

        Assert.ThrowsAny<JsonException>(() => TerminalSizeReader.TryRead(ref buffer, out _));
    }

    [Theory]
    [InlineData("v4.channel.k8s.io")]
    [InlineData("v3.channel.k8s.io")]
    [InlineData("v2.channel.k8s.io")]
    [InlineData("channel.k8s.io")]
    public async Task Session_EveryVersion_StreamsAndEndComeThrough(string protocol)
    {
        var streams = new RemoteCommandStreams(true, true, true, false);
        using var sockets = await SocketPair.CreateAsync();
        var accepting = SpdyRemoteCommandServer.AcceptAsync(sockets.Right, protocol, streams);
        await using var client = await Within.Limits(RemoteCommandClient.OpenAsync(sockets.Left, protocol, streams, null, default));
        await using var server = await Within.Limits(accepting);

        await client.WriteInputAsync("in"u8.ToArray(), default);
        await client.CloseInputAsync(default);
        Assert.Equal("in", await Within.Limits(ReadAsync(server.Input!)));
        await server.WriteOutputAsync(false, "out"u8.ToArray(), default);
        await server.WriteOutputAsync(true, "err"u8.ToArray(), default);
        var completing = server.CompleteAsync(RemoteCommandStatus.Exited(3), default).AsTask();

        Assert.Equal("out", await Within.Limits(ReadAsync(client.Output!)));
        Assert.Equal("err", await Within.Limits(ReadAsync(client.ErrorOutput!)));
        var status = await Within.Limits(client.Status);
        Assert.Equal(protocol == "v4.channel.k8s.io" ? 3 : null, status.ExitCode);
        Assert.EndsWith("exit status 3", status.Message, StringComparison.Ordinal);
        await client.DisposeAsync();
        await Within.Limits(completing);
    }

    [Fact]
    public async Task Session_ServerIsLost_StatusSaysSo()
    {
        var streams = new RemoteCommandStreams(false, true, false, false);
        using var sockets = await SocketPair.CreateAsync();
        var accepting = SpdyRemoteCommandServer.AcceptAsync(sockets.Right, "v4.channel.k8s.io", streams);
        await using var client = await Within.Limits(
            RemoteCommandClient.OpenAsync(sockets.Left, "v4.channel.k8s.io", streams, null, default));

        await (await Within.Limits(accepting)).DisposeAsync();

        var status = await Within.Limits(client.Status);
        Assert.Null(status.ExitCode);
        Assert.Contains("lost", status.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stdout", "stdout")]
    [InlineData("error", "stderr")]
    [InlineData("error", "resize")]
    [InlineData("error", "nonsense")]
    public async Task Accept_StreamsThatWereNotAnnounced_IsRefused(string first, string second)
    {
        var streams = new RemoteCommandStreams(false, true, false, false);
        using var sockets = await SocketPair.CreateAsync();
        var accepting = SpdyRemoteCommandServer.AcceptAsync(sockets.Right, "v4.channel.k8s.io", streams);
        await using var client = new SpdyConnection(sockets.Left, SpdyRole.Client);
        foreach (var type in (string[])[first, second])
        {
            _ = client.OpenStreamAsync(new Dictionary<string, string> { ["streamType"] = type }, default)
                .ContinueWith(static opened => opened.Exception, TaskScheduler.Default);
        }

        await Assert.ThrowsAsync<SpdyException>(() => Within.Limits(accepting));
        await Within.Limits(client.Completion);
    }

    [Fact]
    public async Task PortForward_HalvesOnly_AreNotKeptWithoutBound()
    {
        using var sockets = await SocketPair.CreateAsync();
        await using var server = new SpdyPortForwardServer(sockets.Right);
        await using var client = new SpdyConnection(sockets.Left, SpdyRole.Client);
        var accepting = server.AcceptAsync(default);
        var opened = new List<SpdyStream>();
        for (var i = 0; i < 200; i++)
        {
            var headers = new Dictionary<string, string> { ["streamType"] = "error", ["port"] = "80", ["requestID"] = $"{i}" };
            opened.Add(await Within.Limits(client.OpenStreamAsync(headers, default)));
        }

        // The last one is certainly refused; that it is shows in its end.
        await Within.Limits(opened[^1].Input.ReadAsync());

        Assert.Equal(SpdyStreamStatus.RefusedStream, opened[^1].ResetStatus);
        Assert.False(accepting.IsCompleted);
    }

    [Theory]
    [InlineData("data", "0")]
    [InlineData("data", "65536")]
    [InlineData("data", "x")]
    [InlineData("other", "80")]
    public async Task PortForward_StreamIsWrong_IsRefused(string type, string port)
    {
        using var sockets = await SocketPair.CreateAsync();
        await using var server = new SpdyPortForwardServer(sockets.Right);
        await using var client = new SpdyConnection(sockets.Left, SpdyRole.Client);
        var accepting = server.AcceptAsync(default);
        var stream = await Within.Limits(client.OpenStreamAsync(
            new Dictionary<string, string> { ["streamType"] = type, ["port"] = port, ["requestID"] = "1" }, default));

        await Within.Limits(stream.Input.ReadAsync());

        Assert.Equal(SpdyStreamStatus.RefusedStream, stream.ResetStatus);
        Assert.False(accepting.IsCompleted);
    }

    private static async Task<string> ReadAsync(PipeReader reader)
    {
        using var all = new MemoryStream();
        await reader.CopyToAsync(all);
        return Encoding.UTF8.GetString(all.ToArray());
    }
}
