using System.Buffers;
using System.Globalization;
using System.Text;

namespace Kip.Kubernetes.Streaming;

/// <summary>The client of a port-forward session over SPDY, as a kubelet or a container runtime's streaming server speaks it.</summary>
public sealed class PortForwardClient : IAsyncDisposable
{
    private static readonly string[] Protocols = [PortForwardProtocol.Name];

    private readonly SpdyConnection _connection;
    private int _lastRequest;

    private PortForwardClient(SpdyConnection connection) => _connection = connection;

    /// <summary>Connects.</summary>
    /// <param name="http">Sends the request, without a time-out.</param>
    /// <param name="uri">The address.</param>
    /// <param name="options">Limits and times; an infinite stall time-out is 30 s here.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HttpRequestException">The server is not reached, or refuses.</exception>
    public static async Task<PortForwardClient> ConnectAsync(
        HttpMessageInvoker http, Uri uri, StreamingOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (transport, _) = await SpdyUpgrade.ConnectAsync(http, uri, Protocols, cancellationToken).ConfigureAwait(false);
        return Open(transport, options);
    }

    /// <summary>Opens a connection to a port. Whether anybody listens shows when it is read.</summary>
    /// <exception cref="SpdyException">The session is lost.</exception>
    public async Task<PortForwardStream> OpenAsync(int port, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _lastRequest).ToString(CultureInfo.InvariantCulture);
        var error = await OpenAsync(PortForwardProtocol.ErrorStream, port, id, cancellationToken).ConfigureAwait(false);
        try
        {
            await error.CloseWriteAsync(cancellationToken).ConfigureAwait(false);
            var data = await OpenAsync(PortForwardProtocol.DataStream, port, id, cancellationToken).ConfigureAwait(false);
            return new PortForwardStream(data, error);
        }
        catch
        {
            error.Dispose();
            throw;
        }
    }

    /// <summary>Ends the session and every connection.</summary>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>Starts a session on a connection that the server has upgraded already, which belongs to the session from now on.</summary>
    public static PortForwardClient Open(Stream transport, StreamingOptions? options = null) =>
        new(new SpdyConnection(transport, SpdyRole.Client, PortForwardProtocol.WithStallTimeout(options)));

    private Task<SpdyStream> OpenAsync(string type, int port, string id, CancellationToken cancellationToken) =>
        _connection.OpenStreamAsync(
            new Dictionary<string, string>
            {
                [PortForwardProtocol.StreamType] = type,
                [PortForwardProtocol.Port] = port.ToString(CultureInfo.InvariantCulture),
                [PortForwardProtocol.RequestId] = id,
            },
            cancellationToken);
}

/// <summary>A connection to a port of a pod.</summary>
public sealed class PortForwardStream : Stream
{
    private readonly SpdyStream _data;
    private readonly SpdyStream _error;
    private readonly Stream _input;

    internal PortForwardStream(SpdyStream data, SpdyStream error)
    {
        _data = data;
        _error = error;
        _input = data.Input.AsStream(leaveOpen: true);
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Closes the side towards the pod, which reads to the end.</summary>
    /// <exception cref="SpdyException">The session is lost.</exception>
    public Task CloseWriteAsync(CancellationToken cancellationToken) => _data.CloseWriteAsync(cancellationToken).AsTask();

    /// <inheritdoc/>
    /// <exception cref="IOException">The other side reports an error, or the connection was cut.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await _input.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (count == 0 && !buffer.IsEmpty)
        {
            await ThrowIfFailedAsync(cancellationToken).ConfigureAwait(false);
        }

        return count;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        _data.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        _data.WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read it asynchronously");

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("write it asynchronously");

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _data.Dispose();
            _error.Dispose();
            _input.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task ThrowIfFailedAsync(CancellationToken cancellationToken)
    {
        var result = await _error.Input.ReadAtLeastAsync(PortForwardProtocol.MaxErrorBytes, cancellationToken).ConfigureAwait(false);
        var text = Encoding.UTF8.GetString(result.Buffer.ToArray());
        _error.Input.AdvanceTo(result.Buffer.Start);
        if (text.Length > 0)
        {
            throw new IOException(text);
        }

        if (_data.InputError is { } cut)
        {
            throw new IOException(cut.Message, cut);
        }
    }
}
