using System.IO.Pipelines;

using Google.Protobuf;

using Kip.Grpc.Wire;

namespace Kip.Grpc.Tests.Wire;

public sealed class MessageFramingTests
{
    [Fact]
    public async Task ReadAsync_FramesCutAnywhere_GiveTheMessagesThatWereWritten()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 50; round++)
        {
            EchoMessage[] messages = [.. Enumerable.Range(0, random.Next(20)).Select(number =>
                new EchoMessage { Number = number, Data = ByteString.CopyFrom(new byte[random.Next(random.Next(20_000) + 1)]) })];
            var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
            foreach (EchoMessage message in messages)
            {
                MessageFraming.Write(pipe.Writer, message, null);
            }

            await pipe.Writer.CompleteAsync();
            using var bytes = new MemoryStream();
            await pipe.Reader.CopyToAsync(bytes);
            PipeReader reader = PipeReader.Create(new ChoppyStream(bytes.ToArray(), random));

            foreach (EchoMessage message in messages)
            {
                EchoMessage? read = await MessageFraming.ReadAsync(reader, EchoMessage.Parser, null, CancellationToken.None);
                Assert.True(message.Equals(read), $"seed {seed}, round {round}, message {message.Number}");
            }

            Assert.Null(await MessageFraming.ReadAsync(reader, EchoMessage.Parser, null, CancellationToken.None));
        }
    }

    [Theory]
    [InlineData(new byte[] { 0 }, StatusCode.Internal)] // ends inside the header
    [InlineData(new byte[] { 0, 0, 0, 0, 3, 1 }, StatusCode.Internal)] // ends inside the message
    [InlineData(new byte[] { 0, 0, 0, 0, 1, 0xff }, StatusCode.Internal)] // no protobuf
    [InlineData(new byte[] { 2, 0, 0, 0, 0 }, StatusCode.Internal)] // unknown flags
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, StatusCode.Unimplemented)] // compressed
    [InlineData(new byte[] { 0, 0, 0, 0, 101 }, StatusCode.ResourceExhausted)] // over the limit, told by the header alone
    [InlineData(new byte[] { 0, 0xff, 0xff, 0xff, 0xff }, StatusCode.ResourceExhausted)]
    public async Task ReadAsync_BadFrame_FailsWithItsStatus(byte[] bytes, StatusCode expected)
    {
        PipeReader reader = PipeReader.Create(new MemoryStream(bytes));

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            async () => await MessageFraming.ReadAsync(reader, EchoMessage.Parser, 100, CancellationToken.None));

        Assert.Equal(expected, e.StatusCode);
    }

    [Fact]
    public async Task ReadAsync_RandomBytes_OnlyEverFailsWithAStatus()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 5000; round++)
        {
            byte[] bytes = new byte[random.Next(40)];
            random.NextBytes(bytes);
            bytes.AsSpan(0, Math.Min(bytes.Length, 4)).Clear(); // a plausible header, so that the parser is reached too
            PipeReader reader = PipeReader.Create(new MemoryStream(bytes));
            try
            {
                while (await MessageFraming.ReadAsync(reader, EchoMessage.Parser, 1000, CancellationToken.None) is not null)
                {
                }
            }
            catch (Exception e) when (e is not RpcException)
            {
                Assert.Fail($"seed {seed}, round {round}: {e}");
            }
            catch (RpcException)
            {
                // the only way to fail
            }
        }
    }

    [Fact]
    public async Task ReadSingleAsync_TwoMessages_IsInternal()
    {
        PipeReader reader = PipeReader.Create(new MemoryStream(new byte[10]));

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            async () => await MessageFraming.ReadSingleAsync(reader, EchoMessage.Parser, null, CancellationToken.None));

        Assert.Equal(StatusCode.Internal, e.StatusCode);
    }

    [Fact]
    public void Write_OverTheLimit_IsResourceExhaustedAndWritesNothing()
    {
        var pipe = new Pipe();

        RpcException e = Assert.Throws<RpcException>(
            () => MessageFraming.Write(pipe.Writer, new EchoMessage { Text = new string('x', 200) }, 100));

        Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
        Assert.Equal(0, pipe.Writer.UnflushedBytes);
    }

    /// <summary>Gives its bytes in pieces of random size.</summary>
    private sealed class ChoppyStream(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, 3000))], cancellationToken);
    }
}
