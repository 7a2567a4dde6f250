using System.IO.Pipelines;
using System.Text.Json;
using System.Threading.Channels;

namespace Kip.Kubernetes.Streaming;

/// <summary>Serves an exec or attach over SPDY.</summary>
public sealed class SpdyRemoteCommandServer : RemoteCommandServer
{
    private static readonly string[] SpokenProtocols =
        [RemoteCommandProtocol.V4, RemoteCommandProtocol.V3, RemoteCommandProtocol.V2, RemoteCommandProtocol.V1];

    private readonly SpdyConnection _connection;
    private readonly string _protocol;
    private readonly Dictionary<string, SpdyStream> _streams;
    private readonly Channel<TerminalSize> _sizes = NewestOnly.Create<TerminalSize>();
    private readonly Task _readingSizes;

    private SpdyRemoteCommandServer(SpdyConnection connection, string protocol, Dictionary<string, SpdyStream> streams)
    {
        _connection = connection;
        _protocol = protocol;
        _streams = streams;
        _readingSizes = ReadSizesAsync(streams.GetValueOrDefault(RemoteCommandProtocol.ResizeStream));
    }

    /// <summary>The protocols that are spoken, the best one first.</summary>
    public static IReadOnlyList<string> Protocols => SpokenProtocols;

    /// <inheritdoc/>
    public override PipeReader? Input => _streams.GetValueOrDefault(RemoteCommandProtocol.InputStream)?.Input;

    /// <inheritdoc/>
    public override ChannelReader<TerminalSize> Sizes => _sizes.Reader;

    /// <inheritdoc/>
    public override CancellationToken Closed => _connection.Closed;

    /// <summary>The protocol for a client that names these, in its order; a client that names none is of version 1. Null: none is spoken.</summary>
    public static string? Choose(IReadOnlyCollection<string> wanted) =>
        wanted.Count == 0 ? RemoteCommandProtocol.V1 : wanted.FirstOrDefault(SpokenProtocols.Contains);

    /// <summary>Waits until the client has opened its streams.</summary>
    /// <param name="transport">The upgraded connection, which belongs to the session from now on.</param>
    /// <param name="protocol">What <see cref="Choose"/> chose.</param>
    /// <param name="streams">The streams that the client announced.</param>
    /// <param name="options">Limits and times.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="IOException">The client went away, or opened others.</exception>
    public static async Task<SpdyRemoteCommandServer> AcceptAsync(
        Stream transport,
        string protocol,
        RemoteCommandStreams streams,
        StreamingOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(streams);
        var connection = new SpdyConnection(transport, SpdyRole.Server, options);
        try
        {
            var expected = RemoteCommandProtocol.StreamTypes(streams, protocol).ToHashSet();
            var open = new Dictionary<string, SpdyStream>();
            while (open.Count < expected.Count)
            {
                var stream = await connection.AcceptStreamAsync(cancellationToken).ConfigureAwait(false)
                    ?? throw new SpdyException("the client went away before it had opened its streams");
                var type = stream.Headers.GetValueOrDefault(RemoteCommandProtocol.StreamType, "");
                if (!expected.Contains(type) || !open.TryAdd(type, stream))
                {
                    throw new SpdyException($"the client opened a stream of type '{type}', which it had not announced");
                }
            }

            return new SpdyRemoteCommandServer(connection, protocol, open);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public override ValueTask WriteOutputAsync(bool isError, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var type = isError ? RemoteCommandProtocol.ErrorOutputStream : RemoteCommandProtocol.OutputStream;
        return _streams.TryGetValue(type, out var stream) ? stream.WriteAsync(data, cancellationToken) : ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public override async ValueTask CompleteAsync(RemoteCommandStatus status, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(status);
        try
        {
            // The output first: a client may stop to read once it knows how the command ended.
            foreach (var (type, stream) in _streams)
            {
                if (type != RemoteCommandProtocol.ErrorStream)
                {
                    await stream.CloseWriteAsync(cancellationToken).ConfigureAwait(false);
                }
            }

            var error = _streams[RemoteCommandProtocol.ErrorStream];
            await error.WriteAsync(status.Serialize(_protocol), cancellationToken).ConfigureAwait(false);
            await error.CloseWriteAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SpdyException)
        {
            // The client is gone, and nobody is left to tell.
        }

        await _connection.CloseAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync().ConfigureAwait(false);
        await _readingSizes.ConfigureAwait(false);
    }

    private async Task ReadSizesAsync(SpdyStream? stream)
    {
        if (stream is null)
        {
            return;
        }

        try
        {
            while (true)
            {
                var result = await stream.Input.ReadAsync().ConfigureAwait(false);
                var buffer = result.Buffer;
                while (TerminalSizeReader.TryRead(ref buffer, out var size))
                {
                    _sizes.Writer.TryWrite(size);
                }

                stream.Input.AdvanceTo(buffer.Start, buffer.End);
                if (result.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (JsonException)
        {
            stream.Reset(SpdyStreamStatus.ProtocolError);
        }

        await stream.Input.CompleteAsync().ConfigureAwait(false);
        _sizes.Writer.TryComplete();
    }
}
