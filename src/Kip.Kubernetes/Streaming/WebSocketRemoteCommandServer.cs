using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Threading.Channels;

namespace Kip.Kubernetes.Streaming;

/// <summary>Serves an exec or attach over a WebSocket with one channel per stream.</summary>
public sealed class WebSocketRemoteCommandServer : RemoteCommandServer
{
    private const byte InputChannel = 0;
    private const byte OutputChannel = 1;
    private const byte ErrorOutputChannel = 2;
    private const byte StatusChannel = 3;
    private const byte SizeChannel = 4;
    private const byte CloseChannel = 255;
    private const int MaxSizeMessage = 1024;

    private static readonly string[] SpokenProtocols =
    [
        RemoteCommandProtocol.V5, RemoteCommandProtocol.V4, RemoteCommandProtocol.V4Base64, RemoteCommandProtocol.V1,
        RemoteCommandProtocol.V1Base64,
    ];

    private readonly ChannelWebSocket _socket;
    private readonly string _protocol;
    private readonly RemoteCommandStreams _streams;
    private readonly StreamingOptions _options;
    private readonly Pipe _input;
    private readonly Channel<TerminalSize> _sizes = NewestOnly.Create<TerminalSize>();
    private readonly ArrayBufferWriter<byte> _sizeMessage = new();
    private readonly CancellationTokenSource _closed;
    private readonly Task _receiving;
    private bool _isInputClosed;
    private bool _dropsInput;

    private WebSocketRemoteCommandServer(
        Stream transport, string protocol, RemoteCommandStreams streams, StreamingOptions? options)
    {
        _options = options ?? new StreamingOptions();
        _protocol = protocol;
        _streams = streams;
        _socket = new ChannelWebSocket(
            transport, protocol is RemoteCommandProtocol.V1Base64 or RemoteCommandProtocol.V4Base64, _options);
        _input = new Pipe(new PipeOptions(
            pauseWriterThreshold: _options.StreamBufferSize,
            resumeWriterThreshold: _options.StreamBufferSize / 2,
            useSynchronizationContext: false));
        _closed = CancellationTokenSource.CreateLinkedTokenSource(_socket.Closed);
        Closed = _closed.Token;
        _receiving = ReceiveAsync();
    }

    /// <summary>The protocols that are spoken.</summary>
    public static IReadOnlyList<string> Protocols => SpokenProtocols;

    /// <inheritdoc/>
    public override PipeReader? Input => _streams.Input ? _input.Reader : null;

    /// <inheritdoc/>
    public override ChannelReader<TerminalSize> Sizes => _sizes.Reader;

    /// <inheritdoc/>
    public override CancellationToken Closed { get; }

    /// <summary>Starts the session.</summary>
    /// <param name="transport">The connection after the WebSocket handshake; it belongs to the session from now on.</param>
    /// <param name="protocol">One of <see cref="Protocols"/>; none is the first version.</param>
    /// <param name="streams">The streams that the client announced.</param>
    /// <param name="options">Limits and times.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The client is gone.</exception>
    public static async Task<WebSocketRemoteCommandServer> AcceptAsync(
        Stream transport,
        string? protocol,
        RemoteCommandStreams streams,
        StreamingOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(streams);
        var server = new WebSocketRemoteCommandServer(transport, protocol ?? RemoteCommandProtocol.V1, streams, options);
        try
        {
            // Clients wait for a first, empty message on the lowest channel that the server writes.
            var first = streams.Output ? OutputChannel : streams.ErrorOutput ? ErrorOutputChannel : StatusChannel;
            await server._socket.SendAsync(first, default, cancellationToken).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public override ValueTask WriteOutputAsync(bool isError, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var isWanted = isError ? _streams.ErrorOutput && !_streams.Tty : _streams.Output;
        return isWanted && !data.IsEmpty
            ? _socket.SendAsync(isError ? ErrorOutputChannel : OutputChannel, data, cancellationToken)
            : ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public override async ValueTask CompleteAsync(RemoteCommandStatus status, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(status);
        try
        {
            var bytes = status.Serialize(_protocol);
            if (bytes.Length > 0)
            {
                await _socket.SendAsync(StatusChannel, bytes, cancellationToken).ConfigureAwait(false);
            }

            // Input that nobody takes must not hide the client's answer to the close.
            Volatile.Write(ref _dropsInput, true);
            _input.Writer.CancelPendingFlush();
            await _socket.CloseOutputAsync(cancellationToken).ConfigureAwait(false);
            await _receiving.WaitAsync(_options.LingerTimeout, _options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or TimeoutException)
        {
            // The client is gone or does not say good-bye; it ends here either way.
        }

        await DisposeAsync().ConfigureAwait(false);
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
        catch (Exception error) when (error is InvalidDataException or JsonException or OperationCanceledException)
        {
            // A client that breaks the protocol is sent away like one that has left.
        }
        finally
        {
            EndInput();
            _sizes.Writer.TryComplete();
            await _closed.CancelAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask TakeAsync(byte channel, ReadOnlyMemory<byte> data, bool isEnd)
    {
        switch (channel)
        {
            case InputChannel when _streams.Input && !_isInputClosed && !Volatile.Read(ref _dropsInput):
                var flushed = await _input.Writer.WriteAsync(data, Closed).ConfigureAwait(false);
                if (flushed.IsCompleted)
                {
                    EndInput();
                }

                break;
            case CloseChannel when _protocol == RemoteCommandProtocol.V5 && data.Span is [InputChannel, ..]:
                EndInput();
                break;
            case SizeChannel when _streams.Tty:
                TakeSize(data, isEnd);
                break;
            default:
                // Nothing else is asked for.
                break;
        }
    }

    private void TakeSize(ReadOnlyMemory<byte> data, bool isEnd)
    {
        if (_sizeMessage.WrittenCount + data.Length > MaxSizeMessage)
        {
            throw new InvalidDataException("a terminal size that does not end");
        }

        _sizeMessage.Write(data.Span);
        if (!isEnd)
        {
            return;
        }

        var message = new ReadOnlySequence<byte>(_sizeMessage.WrittenMemory);
        while (TerminalSizeReader.TryRead(ref message, out var size))
        {
            _sizes.Writer.TryWrite(size);
        }

        _sizeMessage.ResetWrittenCount();
    }

    private void EndInput()
    {
        _isInputClosed = true;
        _input.Writer.Complete();
    }
}
