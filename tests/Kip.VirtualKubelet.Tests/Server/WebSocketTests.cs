using System.Net.Security;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Xunit.Abstractions;

namespace Kip.VirtualKubelet.Tests;

/// <summary>exec over WebSocket in each of its dialects, with .NET's own client.</summary>
public sealed class WebSocketTests(ITestOutputHelper output)
{
    public static TheoryData<string?> Protocols =>
        ["v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io", null];

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Exec_EveryProtocol_StreamsAndEndComeThrough(string? protocol)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var client = await ConnectAsync(kubelet, "/exec/default/pod/main?input=1&output=1&error=1", protocol,
            "sh", "-c", "read x; echo out $x; echo err >&2; exit 3");

        await SendAsync(client, 0, "hello\n");
        var received = await Within.Limits(ReceiveAllAsync(client));

        Assert.Equal(protocol, client.SubProtocol);
        Assert.Equal("out hello\n", received[1]);
        Assert.Equal("err\n", received[2]);
        if (protocol?.StartsWith('v') == true)
        {
            Assert.Equal("NonZeroExitCode", (string)JsonNode.Parse(received[3])!["reason"]!);
            Assert.Equal("3", (string)JsonNode.Parse(received[3])!["details"]!["causes"]![0]!["message"]!);
        }
        else
        {
            Assert.Contains("exit status 3", received[3], StringComparison.Ordinal);
        }

        Assert.Equal(WebSocketCloseStatus.NormalClosure, client.CloseStatus);
    }

    [Fact]
    public async Task Exec_Version5_InputCanBeClosed()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var client = await ConnectAsync(
            kubelet, "/exec/default/pod/main?input=1&output=1", "v5.channel.k8s.io", "sh", "-c", "cat; echo end");

        await SendAsync(client, 0, "text\n");
        await client.SendAsync(new byte[] { 255, 0 }, WebSocketMessageType.Binary, true, default);
        var received = await Within.Limits(ReceiveAllAsync(client));

        Assert.Equal("text\nend\n", received[1]);
        Assert.Equal("Success", (string)JsonNode.Parse(received[3])!["status"]!);
    }

    [Theory]
    [InlineData("v4.channel.k8s.io")]
    [InlineData("v4.base64.channel.k8s.io")]
    public async Task Exec_Terminal_LearnsItsSize(string protocol)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var client = await ConnectAsync(
            kubelet, "/exec/default/pod/main?input=1&output=1&tty=1", protocol, "sh", "-c", "read x; echo bye");

        await SendAsync(client, 4, "{\"Width\":100,\"Height\":30}");
        Assert.Equal((1, "[100x30]\n"), await Within.Limits(ReceiveTextAsync(client)));
        await SendAsync(client, 0, "\n");

        Assert.Equal("bye\n", (await Within.Limits(ReceiveAllAsync(client)))[1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(100_000)]
    public async Task Exec_Base64_AnySizeComesThrough(int size)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var client = await ConnectAsync(
            kubelet, "/exec/default/pod/main?input=1&output=1", "v4.base64.channel.k8s.io", "head", "-c", $"{size}");
        var text = new string('x', size);

        await SendAsync(client, 0, text);

        Assert.Equal(text, (await Within.Limits(ReceiveAllAsync(client)))[1]);
    }

    [Fact]
    public async Task Exec_ClientLeaves_CommandIsCutOff()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        var client = await ConnectAsync(
            kubelet, "/exec/default/pod/main?output=1", "v4.channel.k8s.io", "sh", "-c", "echo up; sleep 600");
        await Within.Limits(ReceiveTextAsync(client));

        client.Abort();
        client.Dispose();

        await Within.Limits(Assert.Single(kubelet.Host.Sessions).Disposed);
    }

    [Fact]
    public async Task Exec_Garbage_SessionEndsAndTheServerLives()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("KIP_TEST_SEED"), out var given) ? given : Random.Shared.Next();
        var random = new Random(seed);
        await using var kubelet = await TestKubelet.StartAsync();
        for (var run = 0; run < 30; run++)
        {
            var protocol = random.Next(2) == 0 ? "v5.channel.k8s.io" : "v4.base64.channel.k8s.io";
            using var client = await ConnectAsync(
                kubelet, "/exec/default/pod/main?input=1&output=1&tty=1", protocol, "cat");
            try
            {
                for (var message = 0; message < 20; message++)
                {
                    var bytes = new byte[random.Next(200)];
                    random.NextBytes(bytes);
                    await client.SendAsync(bytes, WebSocketMessageType.Binary, random.Next(3) > 0, default);
                }
            }
            catch (WebSocketException)
            {
                // It was sent away.
            }

            client.Abort();
        }

        await Within.Limits(Task.WhenAll(kubelet.Host.Sessions.Select(session => session.Disposed)), $"sessions of seed {seed} to end");
        Assert.Equal("ok", await kubelet.Client().GetStringAsync(new Uri("/healthz", UriKind.Relative)));
    }

    [Theory]
    [InlineData("/exec/default/pod/main?input=1&output=1&tty=1&command=cat", "v5.channel.k8s.io")]
    [InlineData("/exec/default/pod/main?input=1&output=1&command=cat", "v4.base64.channel.k8s.io")]
    [InlineData("/attach/default/pod/main?output=1", "v4.channel.k8s.io")]
    [InlineData("/portForward/default/pod?port=1", "v4.channel.k8s.io")]
    [InlineData("/portForward/default/pod", "SPDY/3.1+portforward.k8s.io")]
    public async Task Frames_MalformedOversizedOutOfOrder_SessionEndsAndTheServerLives(string path, string protocol)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("KIP_TEST_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"KIP_TEST_SEED={seed}");
        var random = new Random(seed);
        await using var kubelet = await TestKubelet.StartAsync();
        for (var run = 0; run < 20; run++)
        {
            await using var connection = await UpgradeAsync(kubelet, path, protocol);
            try
            {
                for (var frame = random.Next(1, 20); frame > 0; frame--)
                {
                    await connection.WriteAsync(RandomFrame(random));
                }
            }
            catch (IOException)
            {
                // It was sent away.
            }
        }

        await Within.Limits(Task.WhenAll(kubelet.Host.Sessions.Select(session => session.Disposed)), $"sessions of seed {seed} to end");
        Assert.Equal("ok", await kubelet.Client().GetStringAsync(new Uri("/healthz", UriKind.Relative)));
    }

    [Fact]
    public async Task Exec_ProtocolIsUnknown_IsRefused()
    {
        await using var kubelet = await TestKubelet.StartAsync();

        await Assert.ThrowsAsync<WebSocketException>(
            () => ConnectAsync(kubelet, "/exec/default/pod/main?output=1", "v9.channel.k8s.io", "true"));

        Assert.Empty(kubelet.Host.Sessions);
    }

    /// <summary>A connection after the handshake, on which anything can be sent.</summary>
    private static async Task<SslStream> UpgradeAsync(TestKubelet kubelet, string path, string protocol)
    {
        var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(kubelet.Address.Host, kubelet.Address.Port);
        var connection = new SslStream(socket.GetStream());
        var ssl = kubelet.SslOptions(kubelet.Certificates.Client("CN=alice"));
        ssl.TargetHost = kubelet.Address.Host;
        await connection.AuthenticateAsClientAsync(ssl);
        await connection.WriteAsync(Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.1\r\nHost: {kubelet.Address.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"));
        var answer = new byte[12];
        await connection.ReadExactlyAsync(answer);
        Assert.Equal("HTTP/1.1 101", Encoding.ASCII.GetString(answer));
        return connection;
    }

    /// <summary>Half of them well-formed: any opcode and flags, a length in any of its forms, which half the time is not the data's.</summary>
    private static byte[] RandomFrame(Random random)
    {
        var data = new byte[random.Next(4) == 0 ? random.Next(70_000) : random.Next(100)];
        random.NextBytes(data);
        var isMasked = random.Next(8) > 0;
        var first = random.Next(2) == 0 ? (byte)(0x80 | random.Next(3)) : (byte)random.Next(256);
        var length = random.Next(2) == 0 ? data.Length : random.NextInt64(random.Next(2) == 0 ? 200 : long.MaxValue);
        using var frame = new MemoryStream();
        frame.WriteByte(first);
        if (length < 126)
        {
            frame.WriteByte((byte)(length | (isMasked ? 0x80L : 0)));
        }
        else
        {
            var size = length <= ushort.MaxValue ? 2 : 8;
            frame.WriteByte((byte)((size == 2 ? 126 : 127) | (isMasked ? 0x80 : 0)));
            for (var shift = (size - 1) * 8; shift >= 0; shift -= 8)
            {
                frame.WriteByte((byte)(length >> shift));
            }
        }

        frame.Write(new byte[isMasked ? 4 : 0]); // a mask of zeros leaves the data as it is
        frame.Write(data);
        return frame.ToArray();
    }

    internal static async Task<ClientWebSocket> ConnectAsync(TestKubelet kubelet, string path, string? protocol, params string[] command)
    {
        var client = new ClientWebSocket();
        if (protocol is not null)
        {
            client.Options.AddSubProtocol(protocol);
        }

        SslClientAuthenticationOptions ssl = kubelet.SslOptions(kubelet.Certificates.Client("CN=alice"));
        client.Options.ClientCertificates = ssl.ClientCertificates!;
        client.Options.RemoteCertificateValidationCallback = ssl.RemoteCertificateValidationCallback;
        var query = string.Concat(command.Select(part => "&command=" + Uri.EscapeDataString(part)));
        try
        {
            await Within.Limits(client.ConnectAsync(new UriBuilder(new Uri(kubelet.Address, path + query)) { Scheme = "wss" }.Uri, default));
            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    private static async Task SendAsync(ClientWebSocket client, byte channel, string text)
    {
        var isBase64 = client.SubProtocol?.Contains("base64", StringComparison.Ordinal) == true;
        byte[] message = isBase64
            ? [(byte)('0' + channel), .. Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(text)))]
            : [channel, .. Encoding.UTF8.GetBytes(text)];
        await client.SendAsync(message, isBase64 ? WebSocketMessageType.Text : WebSocketMessageType.Binary, true, default);
    }

    private static async Task<Dictionary<int, string>> ReceiveAllAsync(ClientWebSocket client)
    {
        var all = new Dictionary<int, string>();
        while (await ReceiveAsync(client) is { } message)
        {
            all[message.Channel] = all.GetValueOrDefault(message.Channel, "") + message.Text;
        }

        await client.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, default);
        return all;
    }

    /// <summary>The next message that is not empty: the first one is.</summary>
    private static async Task<(int Channel, string Text)> ReceiveTextAsync(ClientWebSocket client)
    {
        while (true)
        {
            if (await ReceiveAsync(client) is { Text.Length: > 0 } message)
            {
                return message;
            }
        }
    }

    private static async Task<(int Channel, string Text)?> ReceiveAsync(ClientWebSocket client)
    {
        using var message = new MemoryStream();
        var buffer = new byte[64 * 1024];
        ValueWebSocketReceiveResult result;
        do
        {
            result = await client.ReceiveAsync(buffer.AsMemory(), default);
            message.Write(buffer, 0, result.Count);
        }
        while (!result.EndOfMessage);
        if (result.MessageType == WebSocketMessageType.Close)
        {
            return null;
        }

        var bytes = message.ToArray();
        return result.MessageType == WebSocketMessageType.Text
            ? (bytes[0] - '0', Encoding.UTF8.GetString(Convert.FromBase64String(Encoding.ASCII.GetString(bytes, 1, bytes.Length - 1))))
            : (bytes[0], Encoding.UTF8.GetString(bytes, 1, bytes.Length - 1));
    }
}
