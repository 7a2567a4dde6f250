using System.Security.Cryptography;
using System.Text;
using Kip.Kubernetes.Streaming;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Kip.VirtualKubelet.Server;

/// <summary>Turns a request into a raw connection that speaks SPDY or WebSocket.</summary>
internal static class Upgrades
{
    private const string WebSocketProtocolHeader = "Sec-WebSocket-Protocol";
    private const string WebSocketVersion = "13";
    private const int WebSocketKeyBytes = 16;
    private const string AcceptedVersionsHeader = "X-Accepted-Stream-Protocol-Versions";

    public static bool IsWebSocket(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) && Asks(request, "websocket");

    public static bool IsSpdy(HttpRequest request) => Asks(request, SpdyUpgrade.Protocol);

    public static Task RefuseAsync(HttpContext context) => Answers.BadRequestAsync(
        context, $"unable to upgrade: missing upgrade headers in request: '{context.Request.Headers.Upgrade}' is not {SpdyUpgrade.Protocol} or websocket");

    /// <summary>The protocols inside SPDY that the client would speak, the best one first.</summary>
    public static List<string> SpdyProtocols(HttpRequest request) => List(request, SpdyUpgrade.ProtocolVersionHeader);

    /// <summary>The subprotocols that the client would speak, the best one first.</summary>
    public static List<string> WebSocketProtocols(HttpRequest request) => List(request, WebSocketProtocolHeader);

    /// <summary>Answers that none of the client's protocols is spoken.</summary>
    public static Task RefuseProtocolAsync(HttpContext context, IReadOnlyList<string> wanted, IReadOnlyList<string> spoken)
    {
        foreach (var protocol in spoken)
        {
            context.Response.Headers.Append(AcceptedVersionsHeader, protocol);
        }

        return Answers.WriteAsync(
            context,
            StatusCodes.Status403Forbidden,
            $"unable to upgrade: unable to negotiate protocol: client supports [{string.Join(' ', wanted)}], server accepts [{string.Join(' ', spoken)}]");
    }

    /// <summary>Accepts SPDY. The connection breaks when the request does.</summary>
    public static Task<Stream> ToSpdyAsync(HttpContext context, string protocol)
    {
        var headers = context.Response.Headers;
        headers.Connection = "Upgrade";
        headers.Upgrade = SpdyUpgrade.Protocol;
        headers[SpdyUpgrade.ProtocolVersionHeader] = protocol;
        return UpgradeAsync(context);
    }

    /// <summary>
    /// Accepts a WebSocket, and leaves what is spoken on it to the caller. By hand, since ASP.NET refuses the name of a protocol with a
    /// slash in it, as Kubernetes has one. Null when it was no proper request, which has been answered.
    /// </summary>
    public static async Task<Stream?> ToWebSocketAsync(HttpContext context, string? protocol)
    {
        var request = context.Request.Headers;
        var key = request.SecWebSocketKey.ToString();
        Span<byte> decoded = stackalloc byte[WebSocketKeyBytes + 2];
        if (request.SecWebSocketVersion != WebSocketVersion
            || !Convert.TryFromBase64String(key, decoded, out var length)
            || length != WebSocketKeyBytes)
        {
            context.Response.Headers.SecWebSocketVersion = WebSocketVersion;
            await Answers.BadRequestAsync(context, "unable to upgrade: not a WebSocket request of version 13").ConfigureAwait(false);
            return null;
        }

        var headers = context.Response.Headers;
        headers.Connection = "Upgrade";
        headers.Upgrade = "websocket";
        headers.SecWebSocketAccept = Accept(key);
        if (protocol is not null)
        {
            headers[WebSocketProtocolHeader] = protocol;
        }

        return await UpgradeAsync(context).ConfigureAwait(false);
    }

    // RFC 6455, 4.2.2: not for security.
#pragma warning disable CA5350
    private static string Accept(string key) =>
        Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350

    private static async Task<Stream> UpgradeAsync(HttpContext context) =>
        await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync().ConfigureAwait(false);

    private static bool Asks(HttpRequest request, string protocol) =>
        request.HttpContext.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true }
        && request.Headers.Upgrade.ToString().Contains(protocol, StringComparison.OrdinalIgnoreCase);

    private static List<string> List(HttpRequest request, string header) =>
    [
        .. request.Headers[header]
            .SelectMany(line => (line ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)),
    ];
}
