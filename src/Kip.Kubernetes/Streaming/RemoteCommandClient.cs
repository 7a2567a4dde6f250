using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;

namespace Kip.Kubernetes.Streaming;

/// <summary>
/// The client of an exec or attach over SPDY, as a kubelet or a container runtime's streaming server speaks it. There is no
/// time-out over all: the session lasts until either side ends it.
/// </summary>
public sealed class RemoteCommandClient : IAsyncDisposable
{
    private static readonly string[] Protocols =
        [RemoteCommandProtocol.V4, RemoteCommandProtocol.V3, RemoteCommandProtocol.V2, RemoteCommandProtocol.V1];

    private readonly SpdyConnection _connection;
    private readonly SpdyStream? _input;
    private readonly SpdyStream? _resize;

    private RemoteCommandClient(SpdyConnection connection, string protocol, Dictionary<string, SpdyStream> streams)
    {
        _connection = connection;
        _input = streams.GetValueOrDefault(RemoteCommandProtocol.InputStream);
        _resize = streams.GetValueOrDefault(RemoteCommandProtocol.ResizeStream);
        Output = streams.GetValueOrDefault(RemoteCommandProtocol.OutputStream)?.Input;
        ErrorOutput = streams.GetValueOrDefault(RemoteCommandProtocol.ErrorOutputStream)?.Input;
        Status = ReadStatusAsync(streams[RemoteCommandProtocol.ErrorStream], protocol);
    }

    /// <summary>
    /// The command's output; null when it was not asked for. It must be read, or completed: the whole session waits for it. It
    /// ends with the session, however that ends.
    /// </summary>
    public PipeReader? Output { get; }

    /// <summary>The command's error output; as <see cref="Output"/>. Null with a terminal.</summary>
    public PipeReader? ErrorOutput { get; }

    /// <summary>
    /// How the session ended; it never fails. Comes after the last output was sent, but <see cref="Output"/> may still hold some.
    /// </summary>
    public Task<RemoteCommandStatus> Status { get; }

    /// <summary>Connects and opens the streams.</summary>
    /// <param name="http">Sends the request, without a time-out.</param>
    /// <param name="uri">The address, with what it needs in its query.</param>
    /// <param name="streams">The streams that the address asks for.</param>
    /// <param name="options">Limits and times.</param>
    /// <param name="cancellationToken">Gives up connecting.</param>
    /// <exception cref="HttpRequestException">The server is not reached, or refuses.</exception>
    /// <exception cref="SpdyException">The connection was lost.</exception>
    public static async Task<RemoteCommandClient> ConnectAsync(
        HttpMessageInvoker http,
        Uri uri,
        RemoteCommandStreams streams,
        StreamingOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var (transport, protocol) = await SpdyUpgrade.ConnectAsync(http, uri, Protocols, cancellationToken).ConfigureAwait(false);
        return await OpenAsync(transport, protocol, streams, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends input, as fast as the command takes it.</summary>
    /// <exception cref="SpdyException">The session has ended.</exception>
    /// <exception cref="InvalidOperationException">The session has no input, or it was closed.</exception>
    public ValueTask WriteInputAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        (_input ?? throw new InvalidOperationException("the session was opened without input")).WriteAsync(data, cancellationToken);

    /// <summary>Ends the input: the command reads to the end of it. Does nothing when there is none.</summary>
    /// <exception cref="SpdyException">The connection is lost.</exception>
    public ValueTask CloseInputAsync(CancellationToken cancellationToken) =>
        _input?.CloseWriteAsync(cancellationToken) ?? ValueTask.CompletedTask;

    /// <summary>Tells the terminal its size. Does nothing without a terminal.</summary>
    /// <exception cref="SpdyException">The session has ended.</exception>
    public async ValueTask ResizeAsync(int columns, int rows, CancellationToken cancellationToken)
    {
        if (_resize is not null)
        {
            var size = new TerminalSize(
                (ushort)Math.Clamp(columns, 0, ushort.MaxValue), (ushort)Math.Clamp(rows, 0, ushort.MaxValue));
            var json = JsonSerializer.SerializeToUtf8Bytes(size, RemoteCommandJsonContext.Default.TerminalSize);
            await _resize.WriteAsync(json, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the session.</summary>
    public async ValueTask DisposeAsync() => await _connection.DisposeAsync().ConfigureAwait(false);

    internal static async Task<RemoteCommandClient> OpenAsync(
        Stream transport,
        string protocol,
        RemoteCommandStreams streams,
        StreamingOptions? options,
        CancellationToken cancellationToken)
    {
        var connection = new SpdyConnection(transport, SpdyRole.Client, options);
        try
        {
            var open = new Dictionary<string, SpdyStream>();
            foreach (var type in RemoteCommandProtocol.StreamTypes(streams, protocol))
            {
                var headers = new Dictionary<string, string> { [RemoteCommandProtocol.StreamType] = type };
                open[type] = await connection.OpenStreamAsync(headers, cancellationToken).ConfigureAwait(false);
            }

            return new RemoteCommandClient(connection, protocol, open);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task<RemoteCommandStatus> ReadStatusAsync(SpdyStream stream, string protocol)
    {
        while (true)
        {
            var result = await stream.Input.ReadAsync().ConfigureAwait(false);
            if (result.Buffer.Length > RemoteCommandProtocol.MaxStatusBytes)
            {
                await stream.Input.CompleteAsync().ConfigureAwait(false);
                return RemoteCommandStatus.Failed("the end of the command was reported with more text than is taken");
            }

            if (!result.IsCompleted)
            {
                stream.Input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                continue;
            }

            var bytes = result.Buffer.ToArray();
            await stream.Input.CompleteAsync().ConfigureAwait(false);

            // A server says how it ended and may then reset every stream; one that said nothing was lost.
            var isSilent = stream.ResetStatus == SpdyStreamStatus.None || RemoteCommandStatus.IsObject(protocol);
            return bytes.Length == 0 && stream.InputError is { } lost && isSilent
                ? RemoteCommandStatus.Failed("the session was lost: " + (_connection.Error ?? lost).Message)
                : RemoteCommandStatus.Parse(bytes, protocol);
        }
    }
}
