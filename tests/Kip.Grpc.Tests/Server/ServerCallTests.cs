using Kip.Testing;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;

using Google.Protobuf;

using Kip.Grpc.Server;
using Kip.Grpc.Tests.Support;

using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Kip.Grpc.Tests.Server;

/// <summary>A server before clients that break the protocol and handlers that fail.</summary>
public sealed class ServerCallTests
{
    private static readonly byte[] EmptyMessage = [0, 0, 0, 0, 0];

    [Theory]
    [InlineData(new byte[] { }, "13")] // no message
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1, 2 }, "13")] // cut off
    [InlineData(new byte[] { 0, 0, 0, 0, 1, 0xff }, "13")] // no protobuf
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, "13")] // two messages
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, "12")] // compressed
    [InlineData(new byte[] { 0, 0, 0x50, 0, 0 }, "8")] // 5 MiB
    public async Task Unary_BadRequestBody_IsAnsweredWithTrailersOnly(byte[] body, string status)
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);

        using HttpResponseMessage response = await PostAsync(server, EchoMethods.Unary.FullName, body);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/grpc", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal([status], response.Headers.GetValues("grpc-status"));
        Assert.Empty(response.TrailingHeaders);
    }

    [Fact]
    public async Task Unary_Success_EndsWithTrailers()
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);

        using HttpResponseMessage response = await PostAsync(server, EchoMethods.Unary.FullName, EmptyMessage);

        Assert.Equal(EmptyMessage, await response.Content.ReadAsByteArrayAsync());
        Assert.Equal(["0"], response.TrailingHeaders.GetValues("grpc-status"));
        Assert.False(response.Headers.Contains("grpc-status"));
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/grpc-web")]
    public async Task Unary_OtherContentType_IsUnsupportedMediaType(string contentType)
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);

        using HttpResponseMessage response = await PostAsync(server, EchoMethods.Unary.FullName, EmptyMessage, contentType);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Theory]
    [InlineData("application/grpc+proto")]
    [InlineData("application/grpc; charset=x")]
    public async Task Unary_ContentTypeWithSuffix_IsServed(string contentType)
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);

        using HttpResponseMessage response = await PostAsync(server, EchoMethods.Unary.FullName, EmptyMessage, contentType);

        Assert.Equal(["0"], response.TrailingHeaders.GetValues("grpc-status"));
    }

    [Fact]
    public async Task Unary_OverHttp1_IsUpgradeRequired()
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map, protocols: HttpProtocols.Http1);

        using HttpResponseMessage response = await PostAsync(
            server, EchoMethods.Unary.FullName, EmptyMessage, version: HttpVersion.Version11);

        Assert.Equal(HttpStatusCode.UpgradeRequired, response.StatusCode);
    }

    [Fact]
    public async Task Unary_MalformedTimeout_IsInternal()
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);

        using HttpResponseMessage response = await PostAsync(server, EchoMethods.Unary.FullName, EmptyMessage, timeout: "5x");

        Assert.Equal(["13"], response.Headers.GetValues("grpc-status"));
    }

    [Theory]
    [InlineData("application/grpc", HttpStatusCode.OK, "12")]
    [InlineData("text/plain", HttpStatusCode.NotFound, null)]
    public async Task Fallback_UnknownPath_AnswersInTheCallersProtocol(string contentType, HttpStatusCode expected, string? status)
    {
        await using TestServer server = await TestServer.StartAsync(new EchoService().Map);

        using HttpResponseMessage response = await PostAsync(server, "/some.Service/What.ever", EmptyMessage, contentType);

        Assert.Equal(expected, response.StatusCode);
        Assert.Equal(status, response.Headers.TryGetValues("grpc-status", out var values) ? values.Single() : null);
    }

    [Fact]
    public async Task Unary_HandlerThrows_IsUnknownLoggedAndNotTold()
    {
        await using TestServer server = await TestServer.StartAsync(endpoints =>
            endpoints.MapGrpcUnary(EchoMethods.Unary, (_, _) => throw new InvalidOperationException("secret")));
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);

        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()).Within("the answer"));

        Assert.Equal(new Status(StatusCode.Unknown, "Exception was thrown by handler."), e.Status);
        Assert.Contains(server.Log.Entries, entry =>
            entry.Level == LogLevel.Error
            && entry.Exception is InvalidOperationException { Message: "secret" }
            && entry.Text.Contains(EchoMethods.Unary.FullName, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Unary_ResponseOverTheLimit_IsResourceExhausted()
    {
        await using TestServer server = await TestServer.StartAsync(
            new EchoService().Map, options: new GrpcServerOptions { MaxSendMessageSize = 100 });
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);

        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel
            .UnaryAsync(EchoMethods.Unary, new EchoMessage { Text = new string('x', 200) }).Within("the answer"));

        Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
    }

    [Fact]
    public async Task Unary_DeadlinePasses_HandlerIsCancelledAndStatusIsDeadlineExceeded()
    {
        var clock = new VirtualClock();
        var started = new TaskCompletionSource<DateTimeOffset?>();
        await using TestServer server = await TestServer.StartAsync(
            endpoints => endpoints.MapGrpcUnary(EchoMethods.Unary, async (_, context) =>
            {
                started.SetResult(context.Deadline);
                var fired = new TaskCompletionSource();
                using CancellationTokenRegistration registration = context.CancellationToken.Register(fired.SetResult);
                await fired.Task;
                return new EchoMessage(); // answers all the same: too late
            }),
            options: new GrpcServerOptions { TimeProvider = clock });

        Task<HttpResponseMessage> posting = PostAsync(server, EchoMethods.Unary.FullName, EmptyMessage, timeout: "7S");
        DateTimeOffset? deadline = await started.Task.Within("the handler to start");
        clock.Advance(TimeSpan.FromSeconds(7));

        using HttpResponseMessage response = await posting.Within("the answer");
        Assert.Equal(["4"], response.Headers.GetValues("grpc-status"));
        Assert.Equal(clock.GetUtcNow(), deadline);
    }

    [Fact]
    public async Task Unary_OverMutualTls_HandlerKnowsWhoCalls()
    {
        using var folder = new TempFolder();
        using var certificates = new TestCertificates(folder.Path);
        ServerCallContext? seen = null;
        string? thumbprint = null;
        EndPoint? peer = null;
        await using TestServer server = await TestServer.StartAsync(
            endpoints => endpoints.MapGrpcUnary(EchoMethods.Unary, (request, context) =>
            {
                seen = context;
                thumbprint = context.ClientCertificate?.Thumbprint;
                peer = context.Peer;
                Assert.Equal(EchoMethods.Unary.FullName, context.Method);
                Assert.Null(context.Deadline);
                return Task.FromResult(request);
            }),
            tls: certificates);
        using GrpcChannel channel = GrpcChannel.ForAddress(
            server.Address, new GrpcChannelOptions { Ssl = certificates.ClientOptions() });

        await channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()).Within("the answer");

        Assert.NotNull(seen);
        Assert.Equal(certificates.Client.Thumbprint, thumbprint);
        Assert.Equal(IPAddress.Loopback, Assert.IsType<IPEndPoint>(peer).Address);
    }

    [Fact]
    public async Task ServerStreaming_HeadersSentEarly_ArriveBeforeTheFirstMessage()
    {
        var goOn = new TaskCompletionSource();
        await using TestServer server = await TestServer.StartAsync(endpoints =>
            endpoints.MapGrpcServerStreaming(EchoMethods.ServerStream, (_, context) => HeadersThenMessageAsync(context, goOn.Task)));
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        var options = new CallOptions
        {
            OnResponseHeaders = headers =>
            {
                Assert.Equal("yes", headers.GetValue("x-early"));
                goOn.SetResult();
            },
        };

        int count = await channel.ServerStreamingAsync(EchoMethods.ServerStream, new StreamRequest(), options)
            .CountAsync().AsTask().Within("the stream, whose first message waits for the headers to arrive");

        Assert.Equal(1, count);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 10)]
    [InlineData(1000, 1)]
    [InlineData(5, 20_000)]
    public async Task ServerStreaming_HandlerFallsSilent_AllBeforeItArrives(int burst, int size)
    {
        var arrived = new TaskCompletionSource();
        await using TestServer server = await TestServer.StartAsync(endpoints =>
            endpoints.MapGrpcServerStreaming(EchoMethods.ServerStream, (_, _) => BurstsAsync(burst, size, arrived.Task)));
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);

        Assert.Equal(2 * burst, await ReadAsync().Within("the second half, which the server sends once the first has arrived"));

        async Task<int> ReadAsync()
        {
            int count = 0;
            await foreach (EchoMessage message in channel.ServerStreamingAsync(EchoMethods.ServerStream, new StreamRequest()))
            {
                Assert.Equal(size, message.Data.Length);
                if (++count == burst)
                {
                    arrived.SetResult();
                }
            }

            return count;
        }
    }

    [Fact]
    public void ConfigureForGrpc_Kestrel_DoesNotCutOffSlowReaders()
    {
        var kestrel = new KestrelServerOptions();

        kestrel.ConfigureForGrpc();

        Assert.Null(kestrel.Limits.MinResponseDataRate);
    }

    private static async IAsyncEnumerable<EchoMessage> HeadersThenMessageAsync(
        ServerCallContext context, Task goOn, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        context.ResponseHeaders.Add("x-early", "yes");
        await context.SendResponseHeadersAsync();
        await goOn.WaitAsync(cancellationToken);
        yield return new EchoMessage();
    }

    private static async IAsyncEnumerable<EchoMessage> BurstsAsync(
        int count, int size, Task arrived, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (int i = 0; i < 2 * count; i++)
        {
            if (i == count)
            {
                await arrived.WaitAsync(cancellationToken);
            }

            yield return new EchoMessage { Data = ByteString.CopyFrom(new byte[size]) };
        }
    }

    private static async Task<HttpResponseMessage> PostAsync(
        TestServer server,
        string path,
        byte[] body,
        string contentType = "application/grpc",
        string? timeout = null,
        Version? version = null)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, server.Address + path)
        {
            Version = version ?? HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        if (timeout is not null)
        {
            request.Headers.Add("grpc-timeout", timeout);
        }

        return await client.SendAsync(request).Within($"the answer to {path}");
    }
}
