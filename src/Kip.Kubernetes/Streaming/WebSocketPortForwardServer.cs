using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;

namespace Kip.Kubernetes.Streaming;

/// <summary>
/// Serves port-forward over a WebSocket with two channels, data and error, for each port that the client named. There is one
/// connection per port, for as long as the session lasts: the protocol has no way to close one.
/// </summary>
public sealed class WebSocketPortForwardServer : PortForwardServer
{
    private const int ChannelsPerPort = 2;
    private const int MaxPorts = 100;

    private static readonly string[] SpokenProtocols = [RemoteCommandProtocol.V4, RemoteCommandProtocol.V4Base64];

    private readonly ChannelWebSocket _socket;
    private readonly StreamingOptions _options;
    private readonly Connection[] _connections;
    private readonly CancellationTokenSource _closed;
    private readonly Task _receiving;
    private int _accepted;

    private WebSocketPortForwardServer(Stream transport, string? protocol, IReadOnlyList<int> ports, StreamingOptions? options)
    {
        _options = PortForwardProtocol.WithStallTimeout(options);
        _socket = new ChannelWebSocket(transport, protocol == RemoteCommandProtocol.V4Base64, _options);
        _connections = [.. ports.Select((port, index) => new Connection(this, (byte)(index * ChannelsPerPort), port))];
        _closed = CancellationTokenSource.CreateLinkedTokenSource(_socket.Closed);
        Closed = _closed.Token;
        _receiving = ReceiveAsync();
    }

    /// <summary>The protocols that are spoken.</summary>
    public static IReadOnlyList<string> Protocols => SpokenProtocols;

    /// <inheritdoc/>
    public override CancellationToken Closed { get; }

    /// <summary>Starts a session.</summary>
    /// <param name="transport">The connection after the WebSocket handshake; it belongs to the session from now on.</param>
    /// <param name="protocol">One of <see cref="Protocols"/>; none is the binary one.</param>
    /// <param name="ports">The ports that the client named, 1 to 100 of them.</param>
    /// <param name="options">Limits and times.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The client is gone.</exception>
    public static async Task<WebSocketPortForwardServer> AcceptAsync(
        Stream transport,
        string? protocol,
        IReadOnlyList<int> ports,
        StreamingOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ports);
        ArgumentOutOfRangeException.ThrowIfZero(ports.Count, nameof(ports));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ports.Count, MaxPorts, nameof(ports));
        var server = new WebSocketPortForwardServer(transport, protocol, ports, options);
        try
        {
            foreach (var connection in server._connections)
            {
                await connection.GreetAsync(cancellationToken).ConfigureAwait(false);
            }

            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<PortForwardConnection?> AcceptAsync(CancellationToken cancellationToken)
    {
        if (_accepted < _connections.Length)
        {
            return _connections[_accepted++];
        }

        await _receiving.WaitAsync(cancellationToken).ConfigureAwait(false);
        return null;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _socket.DisposeAsync().ConfigureAwait(false);
        await _receiving.ConfigureAwait(false);
        _closed.Dispose();
    }

    private async Task ReceiveAsync()
    {
        try
        {
            await _socket.ReceiveAsync(TakeAsync, Closed).ConfigureAwait(false);
        }
        catch (Exception error) when (error is InvalidDataException or OperationCanceledException)
        {
            // A client that breaks the protocol is sent away like one that has left.
        }
        finally
        {
            foreach (var connection in _connections)
            {
                connection.EndInput();
            }

            await _closed.CancelAsync().ConfigureAwait(false);
        }
    }

    private ValueTask TakeAsync(byte channel, ReadOnlyMemory<byte> data, bool isEnd) =>
        channel % ChannelsPerPort == 0 && channel / ChannelsPerPort < _connections.Length
            ? _connections[channel / ChannelsPerPort].TakeAsync(data)
            : ValueTask.CompletedTask;

    private sealed class Connection(WebSocketPortForwardServer server, byte channel, int port) : PortForwardConnection
    {
        private readonly Pipe _input = new(new PipeOptions(
            pauseWriterThreshold: server._options.StreamBufferSize,
            resumeWriterThreshold: server._options.StreamBufferSize / 2,
            useSynchronizationContext: false));

        private bool _isInputEnded;

        public override int Port => port;

        public override PipeReader Input => _input.Reader;

        public override bool IsInputCut => false;

        public async ValueTask GreetAsync(CancellationToken cancellationToken)
        {
            var number = new byte[sizeof(ushort)];
            BinaryPrimitives.WriteUInt16LittleEndian(number, (ushort)port);
            await server._socket.SendAsync(channel, number, cancellationToken).ConfigureAwait(false);
            await server._socket.SendAsync((byte)(channel + 1), number, cancellationToken).ConfigureAwait(false);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
            data.IsEmpty ? ValueTask.CompletedTask : server._socket.SendAsync(channel, data, cancellationToken);

        public override ValueTask CloseWriteAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public override async ValueTask EndAsync(string? error, CancellationToken cancellationToken)
        {
            await _input.Reader.CompleteAsync().ConfigureAwait(false);
            try
            {
                if (error is not null)
                {
                    await server._socket.SendAsync((byte)(channel + 1), Encoding.UTF8.GetBytes(error), cancellationToken)
                        .ConfigureAwait(false);
                }
            }
            catch (IOException)
            {
                // The client is gone.
            }
        }

        /// <summary>Called by the receiver only, as <see cref="EndInput"/> is.</summary>
        public async ValueTask TakeAsync(ReadOnlyMemory<byte> data)
        {
            if (_isInputEnded)
            {
                return;
            }

            var flushing = _input.Writer.WriteAsync(data, server.Closed).AsTask();
            try
            {
                var flushed = await flushing.WaitAsync(server._options.StallTimeout, server._options.TimeProvider).ConfigureAwait(false);
                if (flushed.IsCompleted)
                {
                    EndInput();
                }
            }
            catch (TimeoutException)
            {
                _input.Writer.CancelPendingFlush();
                await flushing.ConfigureAwait(false);
                EndInput();
            }
        }

        public void EndInput()
        {
            _isInputEnded = true;
            _input.Writer.Complete();
        }
    }
}
