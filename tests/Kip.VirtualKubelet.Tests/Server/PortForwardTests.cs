using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Kip.Kubernetes.Streaming;

namespace Kip.VirtualKubelet.Tests;

public sealed class PortForwardTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Forward_ManyConnections_DataComesThroughAndHalvesClose(bool isTunnel)
    {
        const int Connections = 8;
        const int Size = 300_000;
        await using var kubelet = await TestKubelet.StartAsync();
        using var echo = new EchoServer();
        await using var client = await ConnectAsync(kubelet, isTunnel);

        await Within.Limits(Task.WhenAll(Enumerable.Range(0, Connections).Select(async _ =>
        {
            await using var connection = await client.OpenAsync(echo.Port, default);
            var data = RandomNumberGenerator.GetBytes(Size);
            using var back = new MemoryStream();
            var reading = connection.CopyToAsync(back);
            await connection.WriteAsync(data);
            await connection.CloseWriteAsync(default);
            await reading;
            Assert.True(back.ToArray().AsSpan().SequenceEqual(data));
        })));
    }

    [Fact]
    public async Task Forward_NobodyListens_SaysSoAndTheSessionLives()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var echo = new EchoServer();
        await using var client = await ConnectAsync(kubelet, isTunnel: false);

        await using (var refused = await client.OpenAsync(EchoServer.FreePort(), default))
        {
            var error = await Assert.ThrowsAsync<IOException>(() => Within.Limits(refused.ReadAsync(new byte[10])));
            Assert.Contains("nothing listens", error.Message, StringComparison.Ordinal);
        }

        await using var good = await client.OpenAsync(echo.Port, default);
        await good.WriteAsync("x"u8.ToArray());
        Assert.Equal(1, await Within.Limits(good.ReadAsync(new byte[10])));
    }

    [Fact]
    public async Task Forward_ClientLeaves_ConnectionsEnd()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var echo = new EchoServer();
        var client = await ConnectAsync(kubelet, isTunnel: false);
        var connection = await client.OpenAsync(echo.Port, default);
        await connection.WriteAsync("x"u8.ToArray());
        await Within.Limits(connection.ReadAsync(new byte[10]));

        await client.DisposeAsync();
        await connection.DisposeAsync();

        await Within.Limits(echo.Ended);
    }

    [Theory]
    [InlineData("v4.channel.k8s.io")]
    [InlineData("v4.base64.channel.k8s.io")]
    [InlineData(null)]
    public async Task Forward_WebSocketChannels_DataComesThrough(string? protocol)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var first = new EchoServer();
        var closed = EchoServer.FreePort();
        using var client = await WebSocketTests.ConnectAsync(
            kubelet, $"/portForward/default/pod?port={first.Port}&port={closed}", protocol);
        var isBase64 = protocol?.Contains("base64", StringComparison.Ordinal) == true;

        foreach (var (channel, port) in ((byte, int)[])[(0, first.Port), (1, first.Port), (2, closed), (3, closed)])
        {
            var (number, greeting) = await Within.Limits(ReceiveAsync(client, isBase64));
            Assert.Equal(channel, number);
            Assert.Equal(port, BinaryPrimitives.ReadUInt16LittleEndian(greeting));
        }

        var (errorChannel, error) = await Within.Limits(ReceiveAsync(client, isBase64));
        Assert.Equal(3, errorChannel);
        Assert.Contains("nothing listens", Encoding.UTF8.GetString(error), StringComparison.Ordinal);

        byte[] message = isBase64 ? [(byte)'0', .. "aGVsbG8="u8] : [0, .. "hello"u8];
        await client.SendAsync(message, isBase64 ? WebSocketMessageType.Text : WebSocketMessageType.Binary, true, default);
        var (_, answer) = await Within.Limits(ReceiveAsync(client, isBase64));
        Assert.Equal("hello", Encoding.UTF8.GetString(answer));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?port=0")]
    [InlineData("?port=x")]
    [InlineData("?port=70000")]
    public async Task Forward_WebSocketWithoutPorts_IsRefused(string query)
    {
        await using var kubelet = await TestKubelet.StartAsync();

        await Assert.ThrowsAsync<WebSocketException>(
            () => WebSocketTests.ConnectAsync(kubelet, "/portForward/default/pod" + query, "v4.channel.k8s.io"));
    }

    [Fact]
    public async Task Forward_OtherPod_IsRefused()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        foreach (var path in (string[])["/portForward/default/nobody", "/portForward/default/pod/uid-2"])
        {
            var error = await Assert.ThrowsAsync<HttpRequestException>(
                () => PortForwardClient.ConnectAsync(kubelet.Client(), new Uri(kubelet.Address, path)));
            Assert.Equal(HttpStatusCode.NotFound, error.StatusCode);
        }
    }

    private static async Task<PortForwardClient> ConnectAsync(TestKubelet kubelet, bool isTunnel)
    {
        if (!isTunnel)
        {
            return await Within.Limits(PortForwardClient.ConnectAsync(kubelet.Client(), new Uri(kubelet.Address, "/portForward/default/pod/uid-1")));
        }

        // .NET's WebSocket client refuses a protocol with a slash in its name too.
        using var request = new HttpRequestMessage(HttpMethod.Get, "/portForward/default/pod");
        request.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", "websocket");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io");
        var response = await Within.Limits(kubelet.Client().SendAsync(request, HttpCompletionOption.ResponseHeadersRead));
        Assert.Equal(HttpStatusCode.SwitchingProtocols, response.StatusCode);
        Assert.Equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", response.Headers.GetValues("Sec-WebSocket-Accept").Single());
        Assert.Equal("SPDY/3.1+portforward.k8s.io", response.Headers.GetValues("Sec-WebSocket-Protocol").Single());
        var socket = WebSocket.CreateFromStream(await response.Content.ReadAsStreamAsync(), new WebSocketCreationOptions { IsServer = false });
        return PortForwardClient.Open(WebSocketStream.Create(socket, WebSocketMessageType.Binary, ownsWebSocket: true));
    }

    private static async Task<(int Channel, byte[] Data)> ReceiveAsync(ClientWebSocket client, bool isBase64)
    {
        var buffer = new byte[1024];
        var result = await client.ReceiveAsync(buffer.AsMemory(), default);
        Assert.True(result.EndOfMessage);
        return isBase64
            ? (buffer[0] - '0', Convert.FromBase64String(Encoding.ASCII.GetString(buffer, 1, result.Count - 1)))
            : (buffer[0], buffer[1..result.Count]);
    }
}

/// <summary>Sends back what it gets, and closes when its client has.</summary>
internal sealed class EchoServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public EchoServer()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Completes when a connection has ended.</summary>
    public Task Ended => _ended.Task;

    /// <summary>A port that nobody listens on.</summary>
    public static int FreePort()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)taken.LocalEndPoint!).Port;
    }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = EchoAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task EchoAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                await client.GetStream().CopyToAsync(client.GetStream());
            }
        }
        catch (IOException)
        {
            // Cut off, which is an end too.
        }

        _ended.TrySetResult();
    }
}
