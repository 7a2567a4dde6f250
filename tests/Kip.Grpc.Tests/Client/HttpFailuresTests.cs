using System.Net;

using Kip.Grpc.Tests.Support;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Kip.Grpc.Tests.Client;

/// <summary>A client before servers that break the protocol, the connection or themselves.</summary>
public sealed class HttpFailuresTests
{
    private static readonly byte[] EmptyMessage = [0, 0, 0, 0, 0];

    [Theory]
    [InlineData(400, StatusCode.Internal)]
    [InlineData(401, StatusCode.Unauthenticated)]
    [InlineData(403, StatusCode.PermissionDenied)]
    [InlineData(404, StatusCode.Unimplemented)]
    [InlineData(429, StatusCode.Unavailable)]
    [InlineData(502, StatusCode.Unavailable)]
    [InlineData(503, StatusCode.Unavailable)]
    [InlineData(504, StatusCode.Unavailable)]
    [InlineData(302, StatusCode.Unknown)]
    [InlineData(500, StatusCode.Unknown)]
    public async Task Unary_HttpStatusWithoutGrpcStatus_IsMapped(int httpStatus, StatusCode expected)
    {
        RpcException e = await CallAsync(http =>
        {
            http.Response.StatusCode = httpStatus;
            return Task.CompletedTask;
        });

        Assert.Equal(expected, e.StatusCode);
        Assert.Contains($"{httpStatus}", e.Status.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x0, StatusCode.Unavailable)]
    [InlineData(0x2, StatusCode.Internal)]
    [InlineData(0x8, StatusCode.Cancelled)]
    [InlineData(0xb, StatusCode.ResourceExhausted)]
    [InlineData(0xc, StatusCode.PermissionDenied)]
    public async Task Unary_StreamIsReset_IsMapped(int errorCode, StatusCode expected)
    {
        RpcException e = await CallAsync(async http =>
        {
            await http.Response.StartAsync();
            http.Features.GetRequiredFeature<IHttpResetFeature>().Reset(errorCode);
        });

        Assert.Equal(expected, e.StatusCode);
    }

    [Fact]
    public async Task Unary_NoStatusAtTheEnd_IsInternal()
    {
        RpcException e = await CallAsync(http => http.Response.Body.WriteAsync(EmptyMessage).AsTask());

        Assert.Equal(StatusCode.Internal, e.StatusCode);
        Assert.Contains("without a status", e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unary_OtherContentType_IsUnknownAndNamesIt()
    {
        RpcException e = await CallAsync(http =>
        {
            http.Response.ContentType = "text/html";
            return http.Response.WriteAsync("<html>");
        });

        Assert.Equal(StatusCode.Unknown, e.StatusCode);
        Assert.Contains("text/html", e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unary_OKWithoutMessage_IsInternal()
    {
        RpcException e = await CallAsync(http =>
        {
            http.Response.AppendTrailer("grpc-status", "0");
            return Task.CompletedTask;
        });

        Assert.Equal(StatusCode.Internal, e.StatusCode);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1, 2 }, StatusCode.Internal)] // cut off
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, StatusCode.Unimplemented)] // compressed
    [InlineData(new byte[] { 0, 0x7f, 0, 0, 0 }, StatusCode.ResourceExhausted)] // too large
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, StatusCode.Internal)] // two messages
    public async Task Unary_BadFrame_FailsWithItsStatus(byte[] body, StatusCode expected)
    {
        RpcException e = await CallAsync(async http =>
        {
            await http.Response.Body.WriteAsync(body);
            http.Response.AppendTrailer("grpc-status", "0");
        });

        Assert.Equal(expected, e.StatusCode);
    }

    [Theory]
    [InlineData("42")]
    [InlineData("-1")]
    [InlineData("nonsense")]
    public async Task Unary_StatusThatNobodyKnows_IsUnknown(string status)
    {
        RpcException e = await CallAsync(http =>
        {
            http.Response.Headers["grpc-status"] = status;
            http.Response.Headers["grpc-message"] = "new %";
            return Task.CompletedTask;
        });

        Assert.Equal(new Status(StatusCode.Unknown, "new %"), e.Status);
    }

    [Fact]
    public async Task Unary_NobodyListens_IsUnavailableAndNamesTheAddress()
    {
        string address = $"http://127.0.0.1:{FreePort()}";
        using GrpcChannel channel = GrpcChannel.ForAddress(address);

        RpcException e = await FailAsync(channel);

        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.Contains(address, e.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("refused", e.Status.Detail, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Unary_NoSocketFile_IsUnavailableAndNamesThePath()
    {
        using var folder = new TempFolder();
        string address = "unix:" + folder.File("nobody.sock");
        using GrpcChannel channel = GrpcChannel.ForAddress(address);

        RpcException e = await FailAsync(channel);

        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.Contains(address, e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unary_PeerClosesAtOnce_IsUnavailable()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task closing = CloseNextAsync(listener);
        using GrpcChannel channel = GrpcChannel.ForAddress($"http://{listener.LocalEndpoint}");

        RpcException e = await FailAsync(channel);

        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        await closing.Within("the connection to be accepted");
    }

    [Fact]
    public async Task Unary_PeerNeverSpeaksTls_IsUnavailableAfterTheConnectTimeout()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start(); // the kernel accepts, nobody answers
        using GrpcChannel channel = GrpcChannel.ForAddress(
            $"https://{listener.LocalEndpoint}", new GrpcChannelOptions { ConnectTimeout = TimeSpan.FromMilliseconds(200) });

        RpcException e = await FailAsync(channel);

        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
    }

    [Fact]
    public async Task Unary_PeerSpeaksHttp1_IsInternal()
    {
        await using TestServer server = await TestServer.StartAsync(
            endpoints => endpoints.MapPost("{**path}", () => ""),
            protocols: Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http1);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);

        RpcException e = await FailAsync(channel);

        Assert.Equal(StatusCode.Internal, e.StatusCode);
        Assert.Contains(server.Address, e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ServerStreaming_ServerStops_IsUnavailable()
    {
        var service = new EchoService();
        await using TestServer server = await TestServer.StartAsync(service.Map);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        await using IAsyncEnumerator<EchoMessage> responses = channel
            .ServerStreamingAsync(EchoMethods.ServerStream, new StreamRequest { Count = int.MaxValue, Size = 100 }).GetAsyncEnumerator();
        Assert.True(await responses.MoveNextAsync());

        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        Task stopping = server.StopAsync(now.Token);

        RpcException e = await Assert.ThrowsAsync<RpcException>(() => ReadToEndAsync(responses).Within("the end of the stream"));
        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        await stopping.Within("the server to stop");
    }

    private static async Task<RpcException> CallAsync(RequestDelegate answer)
    {
        await using TestServer server = await TestServer.StartAsync(endpoints => endpoints.MapPost("{**path}", (RequestDelegate)(http =>
        {
            http.Response.ContentType = "application/grpc";
            return answer(http);
        })));
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        return await FailAsync(channel);
    }

    private static Task<RpcException> FailAsync(GrpcChannel channel) =>
        Assert.ThrowsAsync<RpcException>(() => channel.UnaryAsync(EchoMethods.Unary, new EchoMessage()).Within("the call to fail"));

    private static async Task ReadToEndAsync(IAsyncEnumerator<EchoMessage> messages)
    {
        while (await messages.MoveNextAsync())
        {
        }
    }

    private static async Task CloseNextAsync(System.Net.Sockets.TcpListener listener)
    {
        using System.Net.Sockets.Socket accepted = await listener.AcceptSocketAsync();
        accepted.Close();
    }

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
