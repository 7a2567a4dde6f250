using System.Buffers.Binary;
using System.Net.Sockets;
using Kip.Kubernetes.Streaming;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests;

/// <summary>A peer that sends what nobody should: the connection ends cleanly, whatever comes.</summary>
public sealed class SpdyFuzzTests(ITestOutputHelper output)
{
    private const int Runs = 150;

    [Theory]
    [InlineData("80020001 00000000")]
    [InlineData("80030001 00000004 00000001")]
    [InlineData("80030001 0000000a 00000001 00000000 0000")]
    [InlineData("80030001 0000000a 00000002 00000000 0000")]
    [InlineData("80030001 0001ffff")]
    [InlineData("80030003 00000004 00000001")]
    [InlineData("80030006 00000000")]
    [InlineData("80030007 00000000")]
    [InlineData("80030008 00000004 00000001")]
    [InlineData("80030002 00000002 0000")]
    [InlineData("80030001 00000020 0000")]
    [InlineData("00000001 00000020 0000")]
    [InlineData("0000")]
    public async Task Frame_Malformed_ConnectionEndsWithAnError(string hex)
    {
        using var sockets = await SocketPair.CreateAsync();
        await using var server = new SpdyConnection(sockets.Right, SpdyRole.Server);

        await sockets.Left.WriteAsync(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)));
        sockets.Left.Socket.Shutdown(SocketShutdown.Send);

        await Within.Limits(server.Completion);
        Assert.NotNull(server.Error);
    }

    [Fact]
    public async Task Streams_OutOfOrder_ConnectionEndsWithAnError()
    {
        foreach (uint[] ids in (uint[][])[[2], [0], [3, 1], [1, 1], [5, 7, 7]])
        {
            using var sockets = await SocketPair.CreateAsync();
            await using var server = new SpdyConnection(sockets.Right, SpdyRole.Server);
            var writer = new SpdyHeaderWriter();
            foreach (var id in ids)
            {
                await sockets.Left.WriteAsync(SynStream(id, writer.Write(new Dictionary<string, string> { ["a"] = "b" })));
            }

            await Within.Limits(server.Completion);
            Assert.Contains("out of order", server.Error!.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Data_ForStreamThatNeverWas_IsRefusedAndTheConnectionLives()
    {
        using var sockets = await SocketPair.CreateAsync();
        await using var server = new SpdyConnection(sockets.Right, SpdyRole.Server);

        await sockets.Left.WriteAsync(Convert.FromHexString("0000000900000003616263"));
        var answer = new byte[16];
        await Within.Limits(sockets.Left.ReadExactlyAsync(answer).AsTask());

        Assert.Equal("80030003000000080000000900000002", Convert.ToHexString(answer));
        Assert.False(server.Completion.IsCompleted);
    }

    [Fact]
    public async Task Ping_Flood_AnswersAreBoundedAndThePeerIsSentAway()
    {
        using var sockets = await SocketPair.CreateAsync();
        await using var server = new SpdyConnection(sockets.Right, SpdyRole.Server);
        var pings = Enumerable.Range(0, 10_000).SelectMany(_ => Convert.FromHexString("800300060000000400000001")).ToArray();

        // The peer never reads; the kernel's buffers end some time, and so do the answers that are kept.
        await Within.Limits(Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (true)
            {
                await sockets.Left.WriteAsync(pings);
            }
        }));
        await Within.Limits(server.Completion);

        Assert.Contains("answers unread", server.Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Anything_Random_ConnectionEndsAndNothingEscapes()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("KIP_TEST_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"KIP_TEST_SEED={seed}");
        var random = new Random(seed);
        for (var run = 0; run < Runs; run++)
        {
            var bytes = Conversation(random);
            Mutate(bytes, random);
            var role = random.Next(2) == 0 ? SpdyRole.Server : SpdyRole.Client;
            using var sockets = await SocketPair.CreateAsync();
            await using var connection = new SpdyConnection(sockets.Right, role);
            var serving = ServeAsync(connection);
            var draining = DrainAsync(sockets.Left);

            await SendAsync(sockets.Left, bytes.AsMemory(0, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length));
            await Within.Limits(connection.Completion, $"run {run} of seed {seed}");
            await Within.Limits(serving, $"run {run} of seed {seed}");
            await connection.DisposeAsync();
            await Within.Limits(draining, $"run {run} of seed {seed}");
        }
    }

    private static async Task ServeAsync(SpdyConnection connection)
    {
        var echoes = new List<Task>();
        while (await connection.AcceptStreamAsync(default) is { } stream)
        {
            echoes.Add(EchoAsync(stream));
        }

        await Task.WhenAll(echoes);
    }

    private static async Task EchoAsync(SpdyStream stream)
    {
        try
        {
            while (true)
            {
                var result = await stream.Input.ReadAsync();
                foreach (var part in result.Buffer)
                {
                    await stream.WriteAsync(part, default);
                }

                stream.Input.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    await stream.CloseWriteAsync(default);
                    return;
                }
            }
        }
        catch (Exception error) when (error is SpdyException or InvalidOperationException)
        {
            stream.Dispose();
            await stream.Input.CompleteAsync();
        }
    }

    private static async Task SendAsync(NetworkStream stream, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            await stream.WriteAsync(bytes);
            stream.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            // It was sent away before it had said everything.
        }
    }

    private static async Task DrainAsync(NetworkStream stream)
    {
        try
        {
            var buffer = new byte[64 * 1024];
            while (await stream.ReadAsync(buffer) > 0)
            {
            }
        }
        catch (IOException)
        {
            // Reset, which is one way to be sent away.
        }
    }

    /// <summary>A conversation that is mostly right, so that what is wrong comes late too.</summary>
    private static byte[] Conversation(Random random)
    {
        using var all = new MemoryStream();
        var writer = new SpdyHeaderWriter();
        var id = 1u;
        for (var frame = 0; frame < 40; frame++)
        {
            switch (random.Next(10))
            {
                case < 3:
                    var headers = Enumerable.Range(0, random.Next(5)).ToDictionary(n => $"h{n}", n => new string('v', random.Next(50)));
                    all.Write(SynStream(id, writer.Write(headers)));
                    id += 2;
                    break;
                case < 8:
                    var data = new byte[random.Next(50_000)];
                    random.NextBytes(data);
                    var head = new byte[SpdyFrame.HeaderSize];
                    SpdyFrame.WriteData(head, (uint)random.Next(1, (int)id + 2), (byte)(random.Next(5) == 0 ? 1 : 0), data.Length);
                    all.Write(head);
                    all.Write(data);
                    break;
                default:
                    var body = new byte[random.Next(20)];
                    random.NextBytes(body);
                    var control = new byte[SpdyFrame.HeaderSize];
                    SpdyFrame.WriteControl(control, (ushort)random.Next(2, 12), (byte)random.Next(4), body.Length);
                    all.Write(control);
                    all.Write(body);
                    break;
            }
        }

        return all.ToArray();
    }

    private static void Mutate(byte[] bytes, Random random)
    {
        for (var i = random.Next(4); i > 0; i--)
        {
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        }
    }

    private static byte[] SynStream(uint id, byte[] block)
    {
        var frame = new byte[SpdyFrame.HeaderSize + 10 + block.Length];
        SpdyFrame.WriteControl(frame, SpdyFrame.SynStream, 0, 10 + block.Length);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(SpdyFrame.HeaderSize), id);
        block.CopyTo(frame, SpdyFrame.HeaderSize + 10);
        return frame;
    }
}
