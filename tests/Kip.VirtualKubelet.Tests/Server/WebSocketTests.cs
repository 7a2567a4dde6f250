using System.Net.Security;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Kip.VirtualKubelet.Tests;

/// <summary>exec over WebSocket in each of its dialects, with .NET's own client.</summary>
public sealed class WebSocketTests
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

    [Fact]
    public async Task Exec_ProtocolIsUnknown_IsRefused()
    {
        await using var kubelet = await TestKubelet.StartAsync();

        await Assert.ThrowsAsync<WebSocketException>(
            () => ConnectAsync(kubelet, "/exec/default/pod/main?output=1", "v9.channel.k8s.io", "true"));

        Assert.Empty(kubelet.Host.Sessions);
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
