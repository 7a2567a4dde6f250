using System.Runtime.CompilerServices;
using System.Threading.Channels;

using Google.Protobuf;

using Kip.Grpc.Tests.Support;

namespace Kip.Grpc.Tests.Interop;

/// <summary>What the client must get from every server: ours and grpc-js, over each transport.</summary>
public sealed class EchoContractTests(EchoServers servers) : IClassFixture<EchoServers>
{
    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_Message_ComesBack(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        var request = new EchoMessage { Text = "héllo", Number = -7, Data = ByteString.CopyFrom(1, 2, 3) };

        EchoMessage response = await channel.UnaryAsync(EchoMethods.Unary, request).Within("the answer");

        Assert.Equal(request, response);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_EmptyMessage_ComesBack(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);

        EchoMessage response = await channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()).Within("the answer");

        Assert.Equal(new EchoMessage(), response);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_LargeMessage_ComesBack(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        byte[] data = new byte[3 * 1024 * 1024];
        new Random(42).NextBytes(data);

        EchoMessage response = await channel
            .UnaryAsync(EchoMethods.Unary, new EchoMessage { Data = ByteString.CopyFrom(data) }).Within("the answer");

        Assert.True(response.Data.Span.SequenceEqual(data));
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_ManyAtOnce_EachGetsItsOwnAnswer(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);

        EchoMessage[] responses = await Task.WhenAll(Enumerable.Range(0, 300)
            .Select(number => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage { Number = number }))).Within("300 answers");

        Assert.Equal(Enumerable.Range(0, 300), responses.Select(response => (int)response.Number));
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_UnknownMethod_IsUnimplemented(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.UnaryAsync(EchoMethods.Missing, new EchoMessage()).Within("the answer"));

        Assert.Equal(StatusCode.Unimplemented, e.StatusCode);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_Failure_BringsCodeTextAndTrailers(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        var request = new FailRequest { Code = (int)StatusCode.NotFound, Detail = "pod “näme” not found: 100%\nsecond line" };

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.UnaryAsync(EchoMethods.Fail, request).Within("the answer"));

        Assert.Equal(new Status(StatusCode.NotFound, request.Detail), e.Status);
        Assert.Equal("asked", e.Trailers.GetValue("x-reason"));
        Assert.Equal(new byte[] { 0x00, 0xff, 0x7f }, e.Trailers.GetValueBytes("x-bytes-bin"));
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_Metadata_GoesAndComesAsHeadersAndTrailers(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        Metadata? headers = null;
        Metadata? trailers = null;
        var options = new CallOptions(Headers: new Metadata
        {
            { "x-text", "some text" }, { "x-many", "a" }, { "x-many", "b" }, { "x-raw-bin", [0, 1, 254, 255] },
        })
        {
            OnResponseHeaders = received => headers = received,
            OnResponseTrailers = received => trailers = received,
        };

        await channel.UnaryAsync(EchoMethods.Unary, new EchoMessage(), options).Within("the answer");

        foreach (Metadata? received in new[] { headers, trailers })
        {
            Assert.NotNull(received);
            Assert.Equal("some text", received.GetValue("x-text"));
            Assert.Equal("a, b", string.Join(", ", received.GetAll("x-many").Select(entry => entry.Value)));
            Assert.Equal(new byte[] { 0, 1, 254, 255 }, received.GetValueBytes("x-raw-bin"));
        }
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_TimeoutPasses_DeadlineExceededOnBothSides(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        string id = Guid.NewGuid().ToString();

        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel
            .UnaryAsync(EchoMethods.Wait, new WaitRequest { Id = id }, new CallOptions(TimeSpan.FromMilliseconds(300)))
            .Within("the deadline"));

        Assert.Equal(StatusCode.DeadlineExceeded, e.StatusCode);
        await AssertCancelledAsync(channel, id);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task Unary_CallerCancels_HandlerIsCancelled(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        using var cancel = new CancellationTokenSource();
        string id = Guid.NewGuid().ToString();
        Task<EchoMessage> call = channel.UnaryAsync(EchoMethods.Wait, new WaitRequest { Id = id }, default, cancel.Token);
        await channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()); // the same connection: the first call is on its way

        await cancel.CancelAsync();

        var e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.Within("the cancelled call"));
        Assert.Equal(cancel.Token, e.CancellationToken);
        await AssertCancelledAsync(channel, id);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task ServerStreaming_ManyMessages_ArriveInOrder(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        var numbers = new List<long>();

        await foreach (EchoMessage message in channel.ServerStreamingAsync(EchoMethods.ServerStream, new StreamRequest { Count = 3000, Size = 4000 }))
        {
            Assert.Equal(4000, message.Data.Length);
            numbers.Add(message.Number);
        }

        Assert.Equal(Enumerable.Range(0, 3000).Select(n => (long)n), numbers);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task ServerStreaming_NoMessages_EndsWell(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);

        Assert.Equal(0, await channel.ServerStreamingAsync(EchoMethods.ServerStream, new StreamRequest()).CountAsync());
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task ServerStreaming_FailsMidway_MessagesThenStatus(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        int count = 0;

        RpcException e = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            var request = new StreamRequest { Count = 3, FailCode = (int)StatusCode.FailedPrecondition };
            await foreach (EchoMessage message in channel.ServerStreamingAsync(EchoMethods.ServerStream, request))
            {
                count++;
            }
        });

        Assert.Equal(3, count);
        Assert.Equal(new Status(StatusCode.FailedPrecondition, "asked to fail"), e.Status);
        Assert.Equal("asked", e.Trailers.GetValue("x-reason"));
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task ServerStreaming_CallerStopsReading_HandlerIsCancelled(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        string id = Guid.NewGuid().ToString();

        await foreach (EchoMessage message in channel.ServerStreamingAsync(
            EchoMethods.ServerStream, new StreamRequest { Id = id, Count = int.MaxValue, Size = 1000 }))
        {
            if (message.Number == 10)
            {
                break;
            }
        }

        await AssertCancelledAsync(channel, id);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task ClientStreaming_ManyMessages_AllArrive(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);

        EchoMessage response = await channel.ClientStreamingAsync(EchoMethods.ClientStream, Numbers(1000)).Within("the answer");

        Assert.Equal(new EchoMessage { Number = 1000, Text = "499500" }, response);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task ClientStreaming_NoMessages_IsAnswered(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);

        EchoMessage response = await channel.ClientStreamingAsync(EchoMethods.ClientStream, Numbers(0)).Within("the answer");

        Assert.Equal(new EchoMessage { Text = "0" }, response);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task DuplexStreaming_PingPong_EachAnswerBeforeTheNextRequest(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        Channel<EchoMessage> requests = Channel.CreateUnbounded<EchoMessage>();
        requests.Writer.TryWrite(new EchoMessage { Number = 0 });
        var numbers = new List<long>();

        await foreach (EchoMessage message in channel.DuplexStreamingAsync(EchoMethods.Duplex, requests.Reader.ReadAllAsync()))
        {
            numbers.Add(message.Number);
            if (message.Number == 99)
            {
                requests.Writer.Complete();
            }
            else
            {
                requests.Writer.TryWrite(new EchoMessage { Number = message.Number + 1 });
            }
        }

        Assert.Equal(Enumerable.Range(0, 100).Select(n => (long)n), numbers);
    }

    [Theory, CSharpServers, JavaScriptServers]
    public async Task DuplexStreaming_CallerStopsReading_RequestsStopToo(EchoServer server)
    {
        using GrpcChannel channel = await servers.OpenAsync(server);
        var stopped = new TaskCompletionSource();

        await foreach (EchoMessage message in channel.DuplexStreamingAsync(EchoMethods.Duplex, OneThenSilence(stopped)))
        {
            break;
        }

        await stopped.Task.Within("the end of the request sequence");
    }

    private static async IAsyncEnumerable<EchoMessage> Numbers(int count)
    {
        for (int number = 0; number < count; number++)
        {
            yield return new EchoMessage { Number = number };
        }

        await Task.CompletedTask;
    }

    private static async IAsyncEnumerable<EchoMessage> OneThenSilence(
        TaskCompletionSource stopped, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            yield return new EchoMessage();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        finally
        {
            stopped.SetResult();
        }
    }

    private static async Task AssertCancelledAsync(GrpcChannel channel, string id)
    {
        EchoMessage answer = await channel.UnaryAsync(EchoMethods.AwaitCancellation, new WaitRequest { Id = id })
            .Within($"the handler of {id} to be cancelled");
        Assert.Equal(id, answer.Text);
    }
}
