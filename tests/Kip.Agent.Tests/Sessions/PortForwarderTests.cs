using System.Text;
using Kip.Agent.Tests.Support;
using Kip.Agents;

namespace Kip.Agent.Tests.Sessions;

/// <summary>Port-forward, from the controller's interface down to servers in a pod of a real containerd.</summary>
public sealed class PortForwarderTests(RunningPod pod) : IClassFixture<RunningPod>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [ContainerdFact]
    public async Task Forward_ToAServerOnThePodsLoopback_ReachesIt()
    {
        await pod.RunAsync("echo content >/tmp/page; httpd -p 127.0.0.1:8001 -h /tmp");

        await using var connection = await ConnectAsync(8001);
        await connection.WriteAsync("GET /page HTTP/1.0\r\n\r\n"u8.ToArray(), CancellationToken.None);

        Assert.EndsWith("\r\n\r\ncontent\n", await ReadToEndAsync(connection), StringComparison.Ordinal);
    }

    [ContainerdFact]
    public async Task Forward_WhereNobodyListens_IsRefused()
    {
        var e = await Assert.ThrowsAsync<AgentException>(() => pod.Agent.ForwardPortAsync(CellWorld.PodUid, 8002, CancellationToken.None));

        Assert.Equal(AgentErrorKind.Refused, e.Kind);
        Assert.Contains("port 8002", e.Message, StringComparison.Ordinal);
    }

    [ContainerdFact]
    public async Task Forward_ClientClosesItsSide_ServerReadsTheEndAndStillAnswers()
    {
        await using var server = await pod.ExecAsync("nc -l -p 8003 -e sh -c 'x=$(cat); echo \"heard $x\"'");
        await using var connection = await ConnectAsync(8003);

        await connection.WriteAsync("question"u8.ToArray(), CancellationToken.None);
        await connection.CloseWriteAsync(CancellationToken.None);
        await connection.CloseWriteAsync(CancellationToken.None);

        Assert.Equal("heard question\n", await ReadToEndAsync(connection));
    }

    [ContainerdFact]
    public async Task Forward_ServerClosesItsSide_ClientReadsTheEndAndMayStillSend()
    {
        // nc shuts down its side when its input has ended, and goes on to print what comes.
        await using var server = await pod.ExecAsync("nc -l -p 8004", stdin: true);
        await using var connection = await ConnectAsync(8004);

        await server.WriteInputAsync("all there is"u8.ToArray(), CancellationToken.None);
        await server.CloseInputAsync(CancellationToken.None);
        Assert.Equal("all there is", await ReadToEndAsync(connection));
        await connection.WriteAsync("thanks"u8.ToArray(), CancellationToken.None);
        await connection.CloseWriteAsync(CancellationToken.None);

        Assert.Equal(("thanks", "", 0), await RunningPod.ReadAsync(server));
    }

    [ContainerdFact]
    public async Task Forward_ManyMegabytesThereAndBack_ComeWholeThroughSmallBuffers()
    {
        const int megabytes = 64;
        await using var server = await pod.ExecAsync("nc -l -p 8005 -e cat");
        await using var connection = await ConnectAsync(8005);
        var sent = new byte[1 << 20];
        new Random(1).NextBytes(sent);
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);

        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < megabytes; i++)
            {
                await connection.WriteAsync(sent, patience.Token);
            }

            await connection.CloseWriteAsync(patience.Token);
        });
        var buffer = new byte[100_000];
        var position = 0L;
        for (int count; (count = await connection.ReadAsync(buffer, patience.Token)) > 0;)
        {
            for (var i = 0; i < count; position++, i++)
            {
                if (buffer[i] != sent[position % sent.Length])
                {
                    Assert.Fail($"byte {position} differs");
                }
            }
        }

        await writing;
        Assert.Equal(megabytes << 20, position);
    }

    [ContainerdFact]
    public async Task Forward_IsDisposedOf_ServerReadsTheEnd()
    {
        await using var server = await pod.ExecAsync("nc -l -p 8006", stdin: true);
        await using (var connection = await ConnectAsync(8006))
        {
            await connection.WriteAsync("hi"u8.ToArray(), CancellationToken.None);
        }

        var (output, _, _) = await RunningPod.ReadAsync(server);

        Assert.True(output is "hi" or "", output);
    }

    /// <summary>The server may still be starting.</summary>
    private async Task<IPortConnection> ConnectAsync(int port)
    {
        IPortConnection? connection = null;
        await CellWorld.WaitAsync($"a server on port {port}", async () =>
        {
            try
            {
                connection = await pod.Agent.ForwardPortAsync(CellWorld.PodUid, port, CancellationToken.None);
                return true;
            }
            catch (AgentException e) when (e.Kind == AgentErrorKind.Refused)
            {
                return false;
            }
        });
        return connection!;
    }

    private static async Task<string> ReadToEndAsync(IPortConnection connection)
    {
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        var text = new StringBuilder();
        var buffer = new byte[7];
        for (int count; (count = await connection.ReadAsync(buffer, patience.Token)) > 0;)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }

        return text.ToString();
    }
}
