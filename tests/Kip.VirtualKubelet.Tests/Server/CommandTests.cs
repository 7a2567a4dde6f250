using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using Kip.Agents;
using Kip.Kubernetes.Streaming;

namespace Kip.VirtualKubelet.Tests;

/// <summary>Tests that measure the process, and therefore run when no others do.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}

/// <summary>exec, attach and run over SPDY, with the client that agents use towards containerd.</summary>
[Collection(AloneCollection.Name)]
public sealed class CommandTests
{
    private static readonly RemoteCommandStreams All = new(true, true, true, false);

    [Fact]
    public async Task Exec_Command_StreamsAndExitCodeComeThrough()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        await using var client = await ExecAsync(kubelet, All, "sh", "-c", "read x; echo out $x; echo err $x >&2; exit 7");

        await client.WriteInputAsync("hello\n"u8.ToArray(), default);
        var output = ReadAsync(client.Output!);
        var errors = ReadAsync(client.ErrorOutput!);

        Assert.Equal("out hello\n", await Within.Limits(output));
        Assert.Equal("err hello\n", await Within.Limits(errors));
        Assert.Equal(7, (await Within.Limits(client.Status)).ExitCode);
    }

    [Fact]
    public async Task Exec_InputIsClosed_CommandReadsToTheEnd()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        await using var client = await ExecAsync(kubelet, All, "sh", "-c", "cat; echo done");

        await client.WriteInputAsync("text\n"u8.ToArray(), default);
        await client.CloseInputAsync(default);

        Assert.Equal("text\ndone\n", await Within.Limits(ReadAsync(client.Output!)));
        Assert.Equal(0, (await Within.Limits(client.Status)).ExitCode);
    }

    [Fact]
    public async Task Exec_Terminal_LearnsItsSize()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        await using var client = await ExecAsync(kubelet, new(true, true, true, true), "cat");
        Assert.Null(client.ErrorOutput);

        await client.ResizeAsync(120, 40, default);
        var result = await Within.Limits(client.Output!.ReadAtLeastAsync("[120x40]\n".Length));
        Assert.Equal("[120x40]\n", Encoding.UTF8.GetString(result.Buffer.ToArray()));
        client.Output.AdvanceTo(result.Buffer.End);

        await client.CloseInputAsync(default);
        Assert.Equal(0, (await Within.Limits(client.Status)).ExitCode);
    }

    [Fact]
    public async Task Exec_CannotRun_SaysWhy()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        await using var client = await ExecAsync(kubelet, All, "/no/such/program");

        var status = await Within.Limits(client.Status);

        Assert.Null(status.ExitCode);
        Assert.Contains("/no/such/program", status.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_ClientLeaves_CommandIsCutOff()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        var client = await ExecAsync(kubelet, All, "sh", "-c", "echo up; sleep 600");
        await Within.Limits(client.Output!.ReadAsync());

        await client.DisposeAsync();

        await Within.Limits(Assert.Single(kubelet.Host.Sessions).Disposed);
    }

    [Fact]
    public async Task Exec_ServerEnds_SessionIsCutOffOnBothSides()
    {
        var kubelet = await TestKubelet.StartAsync();
        await using var client = await ExecAsync(kubelet, All, "sh", "-c", "echo up; sleep 600");
        await Within.Limits(client.Output!.ReadAsync());

        await Within.Limits(kubelet.DisposeAsync().AsTask());

        await Within.Limits(Assert.Single(kubelet.Host.Sessions).Disposed);
        Assert.Null((await Within.Limits(client.Status)).ExitCode);
    }

    [Fact]
    public async Task Exec_CommandDoesNotReadItsInput_ClientIsKeptBackAndTheCommandEnds()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        await using var client = await ExecAsync(kubelet, All, "sh", "-c", "read x; echo $x");
        await client.WriteInputAsync("go\n"u8.ToArray(), default);
        var flooding = Task.Run(async () =>
        {
            while (true)
            {
                await client.WriteInputAsync(new byte[64 * 1024], default);
            }
        });

        Assert.Equal("go\n", await Within.Limits(ReadAsync(client.Output!)));
        Assert.Equal(0, (await Within.Limits(client.Status)).ExitCode);
        await Within.Limits(client.DisposeAsync().AsTask());
        await Assert.ThrowsAsync<SpdyException>(() => Within.Limits(flooding));
    }

    [Fact]
    public async Task Exec_TwoHundredMegabytes_MemoryStaysFlat()
    {
        const long Size = 200 * 1024 * 1024;
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Host.OnExec = _ => new ZeroSession(Size);
        await using var client = await ExecAsync(kubelet, All, "zeros");
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var read = 0L;
        var most = 0L;
        while (true)
        {
            var result = await Within.Limits(client.Output!.ReadAsync());
            read += result.Buffer.Length;
            client.Output.AdvanceTo(result.Buffer.End);
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: false) - before);
            if (result.IsCompleted)
            {
                break;
            }
        }

        Assert.Equal(Size, read);
        Assert.Equal(0, (await Within.Limits(client.Status)).ExitCode);
        Assert.True(most < 100 * 1024 * 1024, $"{most} bytes more were in use while {Size} went through");
    }

    [Fact]
    public async Task Exec_ManySessions_NoneIsLeft()
    {
        const int Sessions = 40;
        await using var kubelet = await TestKubelet.StartAsync();
        await Within.Limits(Task.WhenAll(Enumerable.Range(0, Sessions).Select(async number =>
        {
            await using var client = await ExecAsync(kubelet, All, "sh", "-c", $"exit {number}");
            Assert.Equal(number, (await client.Status).ExitCode);
        })));

        Assert.Equal(Sessions, kubelet.Host.Sessions.Count);
        await Within.Limits(Task.WhenAll(kubelet.Host.Sessions.Select(session => session.Disposed)));
    }

    [Fact]
    public async Task Attach_Container_JoinsItsStreams()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        await using var client = await RemoteCommandClient.ConnectAsync(
            kubelet.Client(), new Uri(kubelet.Address, "/attach/default/pod/main?input=1&output=1&error=1"), All);

        await client.WriteInputAsync("hello\n"u8.ToArray(), default);
        await client.CloseInputAsync(default);

        Assert.Equal("attached\nhello\n", await Within.Limits(ReadAsync(client.Output!)));
    }

    [Theory]
    [InlineData("/exec/default/pod/main?command=true", HttpStatusCode.BadRequest, "you must specify at least 1 of stdin, stdout, stderr")]
    [InlineData("/exec/default/nobody/main?command=true&output=1", HttpStatusCode.NotFound, "pod does not exist")]
    [InlineData("/exec/default/pod/other?command=true&output=1", HttpStatusCode.InternalServerError, "container not found (\"other\")")]
    [InlineData("/exec/default/pod/uid-2/main?command=true&output=1", HttpStatusCode.InternalServerError, "container not found (\"main\")")]
    [InlineData("/attach/default/pod/other?output=1", HttpStatusCode.InternalServerError, "container not found (\"other\")")]
    public async Task Command_CannotBe_SaysSoAsAKubeletDoes(string path, HttpStatusCode status, string text)
    {
        await using var kubelet = await TestKubelet.StartAsync();

        var error = await Assert.ThrowsAsync<HttpRequestException>(() => Within.Limits(
            RemoteCommandClient.ConnectAsync(kubelet.Client(), new Uri(kubelet.Address, path), All)));

        Assert.Equal(status, error.StatusCode);
        Assert.EndsWith(text, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_WithoutUpgrade_IsRefused()
    {
        await using var kubelet = await TestKubelet.StartAsync();

        using var answer = await kubelet.Client().PostAsync(
            new Uri("/exec/default/pod/main?command=true&output=1", UriKind.Relative), content: null);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.StartsWith("unable to upgrade", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_ProtocolIsUnknown_IsRefusedWithThoseThatAreSpoken()
    {
        await using var kubelet = await TestKubelet.StartAsync();

        var error = await Assert.ThrowsAsync<HttpRequestException>(() => Within.Limits(SpdyUpgrade.ConnectAsync(
            kubelet.Client(), new Uri(kubelet.Address, "/exec/default/pod/main?command=true&output=1"), ["v9.channel.k8s.io"], default)));

        Assert.Equal(HttpStatusCode.Forbidden, error.StatusCode);
        Assert.Contains("server accepts [v4.channel.k8s.io", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_ClientOpensNoStreams_IsSentAwayAndNothingRuns()
    {
        await using var kubelet = await TestKubelet.StartAsync(static o => o with { StreamCreationTimeout = TimeSpan.FromMilliseconds(300) });
        var (transport, _) = await Within.Limits(SpdyUpgrade.ConnectAsync(
            kubelet.Client(), new Uri(kubelet.Address, "/exec/default/pod/main?command=true&output=1"), ["v4.channel.k8s.io"], default));
        await using var connection = new SpdyConnection(transport, SpdyRole.Client);

        await Within.Limits(connection.Completion);

        Assert.Empty(kubelet.Host.Sessions);
    }

    [Theory]
    [InlineData("echo hello", HttpStatusCode.OK, "hello\n")]
    [InlineData("false", HttpStatusCode.InternalServerError, "command 'false' exited with 1: ")]
    [InlineData("/no/such/program", HttpStatusCode.BadRequest, "cannot run /no/such/program")]
    public async Task Run_Command_AnswersWithItsOutput(string command, HttpStatusCode status, string text)
    {
        await using var kubelet = await TestKubelet.StartAsync();

        using var answer = await kubelet.Client().PostAsync(
            new Uri($"/run/default/pod/main?cmd={Uri.EscapeDataString(command)}", UriKind.Relative), content: null);

        Assert.Equal(status, answer.StatusCode);
        Assert.StartsWith(text, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static Task<RemoteCommandClient> ExecAsync(TestKubelet kubelet, RemoteCommandStreams streams, params string[] command)
    {
        var query = string.Concat(command.Select(part => "&command=" + Uri.EscapeDataString(part)));
        var uri = new Uri(kubelet.Address, $"/exec/default/pod/main?input=1&output=1&error=1&tty={(streams.Tty ? 1 : 0)}{query}");
        return Within.Limits(RemoteCommandClient.ConnectAsync(kubelet.Client(), uri, streams));
    }

    private static async Task<string> ReadAsync(PipeReader reader)
    {
        using var all = new MemoryStream();
        await reader.CopyToAsync(all);
        return Encoding.UTF8.GetString(all.ToArray());
    }

    /// <summary>A command that writes zeros as fast as they are taken.</summary>
    private sealed class ZeroSession(long size) : IContainerSession
    {
        public Task<int> ExitCode => Task.FromResult(0);

        public ValueTask WriteInputAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask CloseInputAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask ResizeAsync(int columns, int rows, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public async IAsyncEnumerable<SessionOutput> ReadOutputAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var zeros = new byte[64 * 1024];
            for (var sent = 0L; sent < size; sent += zeros.Length)
            {
                await Task.CompletedTask.WaitAsync(cancellationToken);
                yield return new SessionOutput(false, zeros);
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
