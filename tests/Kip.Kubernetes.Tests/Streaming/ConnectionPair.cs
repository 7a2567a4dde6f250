using Kip.Kubernetes.Streaming;

namespace Kip.Kubernetes.Tests;

/// <summary>A client and a server that speak SPDY with each other.</summary>
internal sealed class ConnectionPair : IAsyncDisposable
{
    private readonly SocketPair _sockets;

    private ConnectionPair(SocketPair sockets, StreamingOptions? clientOptions, StreamingOptions? serverOptions)
    {
        _sockets = sockets;
        Client = new SpdyConnection(sockets.Left, SpdyRole.Client, clientOptions);
        Server = new SpdyConnection(sockets.Right, SpdyRole.Server, serverOptions);
    }

    public SpdyConnection Client { get; }

    public SpdyConnection Server { get; }

    public static async Task<ConnectionPair> CreateAsync(
        StreamingOptions? clientOptions = null, StreamingOptions? serverOptions = null) =>
        new(await SocketPair.CreateAsync(), clientOptions, serverOptions);

    public async Task<(SpdyStream Client, SpdyStream Server)> OpenAsync(IReadOnlyDictionary<string, string> headers)
    {
        var opening = Client.OpenStreamAsync(headers, default);
        var accepted = await Within.Limits(Server.AcceptStreamAsync(default));
        return (await Within.Limits(opening), accepted!);
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Server.DisposeAsync();
        _sockets.Dispose();
    }
}
