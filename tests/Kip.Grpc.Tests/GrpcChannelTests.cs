using Kip.Testing;
using System.Runtime.CompilerServices;

using Google.Protobuf;

using Kip.Grpc.Server;
using Kip.Grpc.Tests.Interop;
using Kip.Grpc.Tests.Support;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Kip.Grpc.Tests;

public sealed class GrpcChannelTests
{
    [Theory]
    [InlineData("localhost:80")]
    [InlineData("ftp://host")]
    [InlineData("http://host/path")]
    [InlineData("unix:relative")]
    [InlineData("unix:")]
    public void ForAddress_NotAnAddress_ThrowsAndNamesIt(string address)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => GrpcChannel.ForAddress(address));

        Assert.Contains($"'{address}'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unary_MethodOfAnotherType_Throws()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress("http://127.0.0.1:1");

        await Assert.ThrowsAsync<ArgumentException>(() => channel.UnaryAsync(EchoMethods.Duplex, new EchoMessage()));
        Assert.Throws<ArgumentException>(() => channel.ServerStreamingAsync(EchoMethods.Unary, new EchoMessage()));
    }

    [Fact]
    public async Task Unary_TokenAlreadyFired_DoesNotCall()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress("http://127.0.0.1:1");
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage(), default, cancelled.Token));
    }

    [Fact]
    public async Task Unary_NoTimeLeft_IsDeadlineExceededWithoutACall()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress("http://127.0.0.1:1");

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage(), new CallOptions(TimeSpan.Zero)));

        Assert.Equal(StatusCode.DeadlineExceeded, e.StatusCode);
    }

    [Fact]
    public async Task Unary_Timeout_IsSentAndRunsOnTheGivenClock()
    {
        var arrived = new TaskCompletionSource<string>();
        await using TestServer server = await TestServer.StartAsync(endpoints => endpoints.MapPost("{**path}", async (HttpContext http) =>
        {
            arrived.SetResult(http.Request.Headers["grpc-timeout"].ToString());
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        }));
        var clock = new VirtualClock();
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { TimeProvider = clock });

        Task<EchoMessage> call = channel.UnaryAsync(EchoMethods.Unary, new EchoMessage(), new CallOptions(TimeSpan.FromMinutes(5)));
        Assert.Equal("300000m", await arrived.Task.Within("the call to arrive"));
        clock.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromTicks(1));
        Assert.False(call.IsCompleted);
        clock.Advance(TimeSpan.FromTicks(1));

        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call.Within("the deadline"));
        Assert.Equal(StatusCode.DeadlineExceeded, e.StatusCode);
        Assert.Contains(server.Address, e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unary_RequestOverTheLimit_IsResourceExhausted()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress("http://127.0.0.1:1", new GrpcChannelOptions { MaxSendMessageSize = 100 });

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage { Text = new string('x', 200) }));

        Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
        Assert.Contains("100", e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClientStreaming_RequestOverTheLimit_IsResourceExhausted()
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { MaxSendMessageSize = 100 });

        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.ClientStreamingAsync(
            EchoMethods.ClientStream, Sequence(new EchoMessage(), new EchoMessage { Text = new string('x', 200) })).Within("the call to fail"));

        Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
    }

    [Fact]
    public async Task Unary_LimitLifted_CarriesMessagesOfManyMegabytes()
    {
        await using TestServer server = await TestServer.StartAsync(
            new EchoService().Map, options: new GrpcServerOptions { MaxReceiveMessageSize = null });
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        var request = new EchoMessage { Data = ByteString.CopyFrom(new byte[40 * 1024 * 1024]) };

        EchoMessage response = await channel.UnaryAsync(EchoMethods.Unary, request).Within("the answer");

        Assert.Equal(request.Data.Length, response.Data.Length);
    }

    [Fact]
    public async Task DuplexStreaming_RequestsThrow_CallerGetsThatException()
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        var thrown = new InvalidDataException("no more requests");

        InvalidDataException e = await Assert.ThrowsAsync<InvalidDataException>(
            () => channel.DuplexStreamingAsync(EchoMethods.Duplex, OneThenThrow(thrown, Task.CompletedTask)).CountAsync().AsTask().Within("the call to fail"));

        Assert.Same(thrown, e);
    }

    [Fact]
    public async Task DuplexStreaming_RequestsThrowAfterAnAnswer_CallerGetsThatException()
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        var answered = new TaskCompletionSource();
        var thrown = new IOException("the disk the requests come from");
        await using IAsyncEnumerator<EchoMessage> responses = channel
            .DuplexStreamingAsync(EchoMethods.Duplex, OneThenThrow(thrown, answered.Task)).GetAsyncEnumerator();
        Assert.True(await responses.MoveNextAsync());

        answered.SetResult();

        IOException e = await Assert.ThrowsAsync<IOException>(() => responses.MoveNextAsync().AsTask().Within("the call to fail"));
        Assert.Same(thrown, e);
        Assert.Contains(nameof(OneThenThrow), e.StackTrace, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClientStreaming_ServerAnswersEarly_CallEndsWithItsStatus()
    {
        await using TestServer server = await TestServer.StartAsync(endpoints => endpoints.MapGrpcClientStreaming(
            EchoMethods.ClientStream, (_, _) => throw new RpcException(StatusCode.PermissionDenied, "not you")));
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.ClientStreamingAsync(EchoMethods.ClientStream, Endless()).Within("the early answer"));

        Assert.Equal(new Status(StatusCode.PermissionDenied, "not you"), e.Status);
    }

    [Fact]
    public async Task Dispose_CallUnderWay_EndsItWithCancelledOnBothSides()
    {
        var service = new EchoService();
        await using TestServer server = await TestServer.StartAsync(service.Map);
        GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        Task<EchoMessage> call = channel.UnaryAsync(EchoMethods.Wait, new WaitRequest { Id = "dispose" });
        await channel.UnaryAsync(EchoMethods.Unary, new EchoMessage());

        channel.Dispose();
        channel.Dispose();

        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call.Within("the call to end"));
        Assert.Equal(StatusCode.Cancelled, e.StatusCode);
        await service.WhenCancelled("dispose").Within("the handler to be cancelled");
        await Assert.ThrowsAsync<ObjectDisposedException>(() => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()));
    }

    [Fact]
    public async Task Unary_ServerWasRestarted_ChannelConnectsAgain()
    {
        using var folder = new TempFolder();
        string socket = folder.File("s.sock");
        using GrpcChannel channel = GrpcChannel.ForAddress("unix:" + socket);
        for (int life = 0; life < 2; life++)
        {
            await using TestServer server = await TestServer.StartAsync(new EchoService().Map, unixPath: socket);
            await channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()).Within($"the answer of server {life}");
        }

        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()));
        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
    }

    [Fact]
    public async Task Unary_WithoutClientCertificate_IsUnavailable()
    {
        using var folder = new TempFolder();
        using var certificates = new TestCertificates(folder.Path);
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map, tls: certificates);
        using GrpcChannel channel = GrpcChannel.ForAddress(
            server.Address, new GrpcChannelOptions { Ssl = certificates.ClientOptions(withCertificate: false) });

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()).Within("the call to fail"));

        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.Contains(server.Address, e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unary_ServerOfAnotherAuthority_IsUnavailable()
    {
        using var folder = new TempFolder();
        using var otherFolder = new TempFolder();
        using var certificates = new TestCertificates(folder.Path);
        using var others = new TestCertificates(otherFolder.Path);
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map, tls: certificates);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { Ssl = others.ClientOptions() });

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()).Within("the call to fail"));

        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.Contains("certificate", e.Status.Detail, StringComparison.OrdinalIgnoreCase);
    }

    [NodeFact]
    public async Task ServerStreaming_ServerIsKilled_IsUnavailable()
    {
        (JavaScriptServer server, int port) = await JavaScriptServer.StartAsync("127.0.0.1:0");
        await using (server)
        {
            using GrpcChannel channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
            int count = 0;

            RpcException e = await Assert.ThrowsAsync<RpcException>(async () =>
            {
                var request = new StreamRequest { Count = int.MaxValue, Size = 1000 };
                await foreach (EchoMessage message in channel.ServerStreamingAsync(EchoMethods.ServerStream, request))
                {
                    if (++count == 10)
                    {
                        server.Kill();
                    }
                }
            });

            Assert.Equal(StatusCode.Unavailable, e.StatusCode);
            Assert.Contains($"http://127.0.0.1:{port}", e.Status.Detail, StringComparison.Ordinal);
        }
    }

    private static async IAsyncEnumerable<EchoMessage> Sequence(params EchoMessage[] messages)
    {
        foreach (EchoMessage message in messages)
        {
            yield return message;
        }

        await Task.CompletedTask;
    }

    private static async IAsyncEnumerable<EchoMessage> OneThenThrow(Exception exception, Task when)
    {
        yield return new EchoMessage();
        await when;
        throw exception;
    }

    private static async IAsyncEnumerable<EchoMessage> Endless([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Yield();
            yield return new EchoMessage { Text = new string('x', 1000) };
        }
    }
}
