using System.Globalization;
using System.Net.WebSockets;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Streaming;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>/portForward/{namespace}/{pod}</summary>
internal sealed partial class PortForwardEndpoint(IPodHost host, KubeletServerOptions options, ILogger log)
{
    private const string SpdyProtocol = "portforward.k8s.io";
    private const string TunnelProtocol = "SPDY/3.1+portforward.k8s.io";
    private const int MaxPorts = 100;

    public async Task HandleAsync(HttpContext context, string @namespace, string name, string? uid)
    {
        if (host.FindPod(@namespace, name) is not { } pod || (uid is not null && uid != pod.Metadata.Uid))
        {
            await Answers.NotFoundAsync(context, "pod does not exist").ConfigureAwait(false);
            return;
        }

        PortForwardServer? client;
        try
        {
            client = await AcceptAsync(context).ConfigureAwait(false);
        }
        catch (IOException error)
        {
            LogFailed(@namespace, name, error.Message);
            context.Abort();
            return;
        }

        if (client is not null)
        {
            await using (client.ConfigureAwait(false))
            {
                using var broken = client.Closed.Register(context.Abort);
                await ServeAsync(client, pod, context.RequestAborted).ConfigureAwait(false);
            }
        }
    }

    private async Task<PortForwardServer?> AcceptAsync(HttpContext context)
    {
        if (Upgrades.IsWebSocket(context.Request))
        {
            return await AcceptWebSocketAsync(context).ConfigureAwait(false);
        }

        if (!Upgrades.IsSpdy(context.Request))
        {
            await Upgrades.RefuseAsync(context).ConfigureAwait(false);
            return null;
        }

        var wanted = Upgrades.SpdyProtocols(context.Request);
        if (wanted.Count > 0 && !wanted.Contains(SpdyProtocol))
        {
            await Upgrades.RefuseProtocolAsync(context, wanted, [SpdyProtocol]).ConfigureAwait(false);
            return null;
        }

        return new SpdyPortForwardServer(await Upgrades.ToSpdyAsync(context, SpdyProtocol).ConfigureAwait(false), options.Streaming);
    }

    private async Task<PortForwardServer?> AcceptWebSocketAsync(HttpContext context)
    {
        string[] spoken = [TunnelProtocol, .. WebSocketPortForwardServer.Protocols];
        var wanted = Upgrades.WebSocketProtocols(context.Request);
        var protocol = wanted.FirstOrDefault(spoken.Contains);
        if (protocol is null && wanted.Count > 0)
        {
            await Upgrades.RefuseProtocolAsync(context, wanted, spoken).ConfigureAwait(false);
            return null;
        }

        var ports = ReadPorts(context.Request.Query);
        if (protocol != TunnelProtocol && ports is null)
        {
            await Answers.BadRequestAsync(context, $"query parameter \"port\" is required: 1 to {MaxPorts} ports from 1 to 65535")
                .ConfigureAwait(false);
            return null;
        }

        if (await Upgrades.ToWebSocketAsync(context, protocol).ConfigureAwait(false) is not { } transport)
        {
            return null;
        }

        if (protocol != TunnelProtocol)
        {
            return await WebSocketPortForwardServer.AcceptAsync(transport, protocol, ports!, options.Streaming, context.RequestAborted)
                .ConfigureAwait(false);
        }

        var socket = WebSocket.CreateFromStream(
            transport, new WebSocketCreationOptions { IsServer = true, KeepAliveInterval = options.Streaming.KeepAliveInterval });
        return new SpdyPortForwardServer(WebSocketStream.Create(socket, WebSocketMessageType.Binary, ownsWebSocket: true), options.Streaming);
    }

    private async Task ServeAsync(PortForwardServer client, Pod pod, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, client.Closed);
        var connections = new HashSet<Task>();
        try
        {
            while (await client.AcceptAsync(end.Token).ConfigureAwait(false) is { } connection)
            {
                connections.RemoveWhere(static done => done.IsCompleted);
                connections.Add(PortSession.RunAsync(
                    connection, stop => host.ForwardPortAsync(pod.Metadata.Uid ?? "", connection.Port, stop), end.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // The client has left.
        }

        await end.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(connections).ConfigureAwait(false);
    }

    private static int[]? ReadPorts(IQueryCollection query)
    {
        var ports = query["port"]
            .SelectMany(static text => (text ?? "").Split(','))
            .Select(static text => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : 0)
            .ToArray();
        return ports.Length is > 0 and <= MaxPorts && !ports.Contains(0) ? ports : null;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "a client that forwards ports of {Namespace}/{Pod} left while it connected: {Error}")]
    private partial void LogFailed(string @namespace, string pod, string error);
}
