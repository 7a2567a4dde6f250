using System.Buffers;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Kip.Kubernetes.Streaming;

namespace Kip.Kubernetes.Tests;

public sealed class SpdyConnectionTests
{
    private static readonly int BufferSize = new StreamingOptions().StreamBufferSize;
    private static readonly Dictionary<string, string> Headers = new() { ["streamType"] = "data", ["port"] = "80" };

    [Fact]
    public async Task OpenStream_HeadersAndData_ArriveBothWays()
    {
        await using var pair = await ConnectionPair.CreateAsync();
        var (near, far) = await pair.OpenAsync(Headers);

        await near.WriteAsync("ping"u8.ToArray(), default);
        await near.CloseWriteAsync(default);
        var request = await Within.Limits(ReadAllAsync(far.Input));
        await far.WriteAsync("pong"u8.ToArray(), default);
        await far.CloseWriteAsync(default);
        var answer = await Within.Limits(ReadAllAsync(near.Input));

        Assert.Equal("data", far.Headers["streamtype"]);
        Assert.Equal("80", far.Headers["port"]);
        Assert.Equal(("ping", "pong"), (Text(request), Text(answer)));
        Assert.Null(near.InputError);
        Assert.Null(far.InputError);
    }

    [Fact]
    public async Task Connection_InAWebSocketThatIsCutOff_EndsWithoutFailing()
    {
        using var pair = await SocketPair.CreateAsync();
        using var socket = WebSocket.CreateFromStream(pair.Left, new WebSocketCreationOptions { IsServer = true });
        var connection = new SpdyConnection(WebSocketStream.Create(socket, WebSocketMessageType.Binary, ownsWebSocket: true), SpdyRole.Server);

        pair.Right.Dispose();

        await Within.Limits(connection.Completion);
        Assert.StartsWith("the connection is lost: ", connection.Error!.Message, StringComparison.Ordinal);
        await connection.DisposeAsync();
    }

    [Fact]
    public async Task OpenStream_FromBothSides_NumbersAreOddAndEven()
    {
        await using var pair = await ConnectionPair.CreateAsync();
        var (first, _) = await pair.OpenAsync(Headers);
        var (second, _) = await pair.OpenAsync(Headers);
        var fromServer = pair.Server.OpenStreamAsync(Headers, default);
        var accepted = await Within.Limits(pair.Client.AcceptStreamAsync(default));

        Assert.Equal((1u, 3u), (first.Id, second.Id));
        Assert.Equal(2u, (await Within.Limits(fromServer)).Id);
        Assert.Equal(2u, accepted!.Id);
    }

    [Fact]
    public async Task Write_ManyMegabytesOnManyStreams_ArriveUnchanged()
    {
        const int Streams = 8;
        const int Size = 5_000_000;
        await using var pair = await ConnectionPair.CreateAsync();
        var sums = new List<Task<bool>>();
        for (var i = 0; i < Streams; i++)
        {
            var (near, far) = await pair.OpenAsync(Headers);
            var data = RandomNumberGenerator.GetBytes(Size);
            sums.Add(Task.Run(async () =>
            {
                await near.WriteAsync(data, default);
                await near.CloseWriteAsync(default);
                return true;
            }));
            sums.Add(Task.Run(async () => (await ReadAllAsync(far.Input)).AsSpan().SequenceEqual(data)));
        }

        Assert.All(await Within.Limits(Task.WhenAll(sums)), Assert.True);
    }

    [Fact]
    public async Task Write_NobodyReads_WriterIsKeptBack()
    {
        await using var pair = await ConnectionPair.CreateAsync();
        var (near, far) = await pair.OpenAsync(Headers);
        var sent = 0;
        var writing = Task.Run(async () =>
        {
            var data = new byte[1024 * 1024];
            for (var i = 0; i < 200; i++)
            {
                await near.WriteAsync(data, default);
                Interlocked.Add(ref sent, data.Length);
            }

            await near.CloseWriteAsync(default);
        });

        // Not before the reader starts can the writer be done: kernel buffers hold a few MiB, not 200.
        Assert.False(writing.IsCompleted);
        Assert.Equal(200 * 1024 * 1024, await Within.Limits(CountAsync(far.Input, () => Assert.False(far.InputError is not null))));
        await Within.Limits(writing);
        Assert.Equal(200 * 1024 * 1024, sent);
    }

    [Fact]
    public async Task StallTimeout_OneStreamIsNotRead_ItIsResetAndTheOthersGoOn()
    {
        var options = new StreamingOptions { StallTimeout = TimeSpan.FromMilliseconds(200) };
        await using var pair = await ConnectionPair.CreateAsync(serverOptions: options);
        var (stuck, _) = await pair.OpenAsync(Headers);
        var (good, goodFar) = await pair.OpenAsync(Headers);

        var filling = Task.Run(async () =>
        {
            while (true)
            {
                await stuck.WriteAsync(new byte[64 * 1024], default);
            }
        });
        await Assert.ThrowsAsync<SpdyException>(() => Within.Limits(filling));
        await good.WriteAsync("still here"u8.ToArray(), default);
        await good.CloseWriteAsync(default);

        Assert.Equal("still here", Text(await Within.Limits(ReadAllAsync(goodFar.Input))));
        Assert.Equal(SpdyStreamStatus.FlowControlError, stuck.ResetStatus);
    }

    [Fact]
    public async Task Input_ReaderIsCompleted_RestIsThrownAwayAndTheOthersGoOn()
    {
        await using var pair = await ConnectionPair.CreateAsync();
        var (near, far) = await pair.OpenAsync(Headers);
        var (good, goodFar) = await pair.OpenAsync(Headers);
        await far.Input.CompleteAsync();

        await Within.Limits(near.WriteAsync(new byte[20_000_000], default).AsTask());
        await good.WriteAsync("x"u8.ToArray(), default);
        await good.CloseWriteAsync(default);

        Assert.Equal("x", Text(await Within.Limits(ReadAllAsync(goodFar.Input))));
    }

    [Fact]
    public async Task Reset_AfterData_DataIsStillRead()
    {
        await using var pair = await ConnectionPair.CreateAsync();
        var (near, far) = await pair.OpenAsync(Headers);

        await near.WriteAsync("last words"u8.ToArray(), default);
        near.Reset(SpdyStreamStatus.InternalError);

        Assert.Equal("last words", Text(await Within.Limits(ReadAllAsync(far.Input))));
        Assert.Equal(SpdyStreamStatus.InternalError, far.ResetStatus);
        Assert.NotNull(far.InputError);
        await Assert.ThrowsAsync<SpdyException>(async () => await far.WriteAsync("x"u8.ToArray(), default));
    }

    [Fact]
    public async Task OpenStream_MoreThanTheLimit_IsRefused()
    {
        await using var pair = await ConnectionPair.CreateAsync(serverOptions: new StreamingOptions { MaxStreams = 2 });
        await pair.OpenAsync(Headers);
        var (second, secondFar) = await pair.OpenAsync(Headers);

        await Assert.ThrowsAsync<SpdyException>(() => Within.Limits(pair.Client.OpenStreamAsync(Headers, default)));
        await second.CloseWriteAsync(default);
        await ReadAllAsync(secondFar.Input);
        await secondFar.CloseWriteAsync(default);
        await Within.Limits(ReadAllAsync(second.Input));
        await pair.OpenAsync(Headers);
    }

    [Fact]
    public async Task Dispose_OneSide_EndsEverythingOnTheOther()
    {
        await using var pair = await ConnectionPair.CreateAsync();
        var (near, far) = await pair.OpenAsync(Headers);
        var reading = ReadAllAsync(far.Input);
        var accepting = pair.Server.AcceptStreamAsync(default);

        await pair.Client.DisposeAsync();

        Assert.Empty(await Within.Limits(reading));
        Assert.NotNull(far.InputError);
        Assert.Null(await Within.Limits(accepting));
        await Within.Limits(pair.Server.Completion);
        Assert.True(pair.Server.Closed.IsCancellationRequested);
        await Assert.ThrowsAsync<SpdyException>(async () => await far.WriteAsync("x"u8.ToArray(), default));
        await Assert.ThrowsAsync<SpdyException>(async () => await near.WriteAsync("x"u8.ToArray(), default));
    }

    [Fact]
    public async Task Close_DataOnItsWay_PeerReadsItAll()
    {
        const int Size = 3_000_000;
        await using var pair = await ConnectionPair.CreateAsync();
        var (near, far) = await pair.OpenAsync(Headers);
        var reading = Task.Run(async () =>
        {
            var count = await CountAsync(near.Input, () => { });
            await pair.Client.DisposeAsync();
            return count;
        });

        // What the peer still sends must not make its receive buffer be thrown away.
        await near.WriteAsync(new byte[1000], default);
        await far.WriteAsync(new byte[Size], default);
        await far.CloseWriteAsync(default);
        await Within.Limits(pair.Server.CloseAsync(default).AsTask());

        Assert.Equal(Size, await Within.Limits(reading));
        Assert.Null(near.InputError);
    }

    [Fact]
    public async Task KeepAlive_PeerIsGoneWhileReadingIsStalled_IsNoticed()
    {
        var options = new StreamingOptions { KeepAliveInterval = TimeSpan.FromMilliseconds(50) };
        using var sockets = await SocketPair.CreateAsync();
        await using var server = new SpdyConnection(sockets.Right, SpdyRole.Server, options);
        var client = new SpdyConnection(sockets.Left, SpdyRole.Client);
        var opening = client.OpenStreamAsync(Headers, default);
        await Within.Limits(server.AcceptStreamAsync(default));
        var near = await Within.Limits(opening);

        // More than the stream's buffer, so that the server does not get to see the end.
        await Within.Limits(near.WriteAsync(new byte[BufferSize + 40_000], default).AsTask());
        await client.DisposeAsync();

        await Within.Limits(server.Completion);
    }

    [Fact]
    public async Task Dispose_ManyConnections_NoStreamIsLeftOpen()
    {
        for (var i = 0; i < 50; i++)
        {
            await using var pair = await ConnectionPair.CreateAsync();
            var (near, far) = await pair.OpenAsync(Headers);
            var writing = Task.Run(async () =>
            {
                while (true)
                {
                    await near.WriteAsync(new byte[10_000], default);
                }
            });
            await Within.Limits(far.Input.ReadAsync());
            await Within.Limits(pair.Server.DisposeAsync().AsTask());
            await Assert.ThrowsAsync<SpdyException>(() => Within.Limits(writing));
        }
    }

    private static async Task<byte[]> ReadAllAsync(PipeReader reader)
    {
        while (true)
        {
            var result = await reader.ReadAsync();
            if (result.IsCompleted)
            {
                var bytes = result.Buffer.ToArray();
                await reader.CompleteAsync();
                return bytes;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            if (result.Buffer.Length >= BufferSize / 2)
            {
                return await ReadLargeAsync(reader);
            }
        }
    }

    private static async Task<byte[]> ReadLargeAsync(PipeReader reader)
    {
        using var all = new MemoryStream();
        await reader.CopyToAsync(all);
        return all.ToArray();
    }

    private static async Task<long> CountAsync(PipeReader reader, Action check)
    {
        var count = 0L;
        while (true)
        {
            var result = await reader.ReadAsync();
            count += result.Buffer.Length;
            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                return count;
            }

            check();
        }
    }

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);
}
