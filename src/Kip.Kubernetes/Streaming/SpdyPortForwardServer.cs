using System.Globalization;
using System.IO.Pipelines;
using System.Text;

namespace Kip.Kubernetes.Streaming;

/// <summary>Serves port-forward over SPDY: each connection is a pair of streams, one for the data and one for an error.</summary>
public sealed class SpdyPortForwardServer : PortForwardServer
{
    private const int MaxUnpaired = 128;

    private readonly SpdyConnection _connection;
    private readonly Dictionary<string, SpdyStream> _unpaired = [];

    /// <summary>Starts a session.</summary>
    /// <param name="transport">The upgraded connection, which belongs to the session from now on.</param>
    /// <param name="options">
    /// Limits and times. Streams of a session have nothing to do with each other, so an infinite
    /// <see cref="StreamingOptions.StallTimeout"/> is 30 s here.
    /// </param>
    public SpdyPortForwardServer(Stream transport, StreamingOptions? options = null) =>
        _connection = new SpdyConnection(transport, SpdyRole.Server, PortForwardProtocol.WithStallTimeout(options));

    /// <inheritdoc/>
    public override CancellationToken Closed => _connection.Closed;

    /// <inheritdoc/>
    public override async ValueTask<PortForwardConnection?> AcceptAsync(CancellationToken cancellationToken)
    {
        while (await _connection.AcceptStreamAsync(cancellationToken).ConfigureAwait(false) is { } stream)
        {
            var type = stream.Headers.GetValueOrDefault(PortForwardProtocol.StreamType);
            var port = stream.Headers.GetValueOrDefault(PortForwardProtocol.Port);
            if (type is not (PortForwardProtocol.ErrorStream or PortForwardProtocol.DataStream)
                || !ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || number == 0)
            {
                stream.Reset(SpdyStreamStatus.RefusedStream);
                continue;
            }

            var isData = type == PortForwardProtocol.DataStream;
            var id = RequestId(stream, isData);
            if (!_unpaired.Remove(id, out var other))
            {
                Keep(id, stream);
                continue;
            }

            var (data, error) = isData ? (stream, other) : (other, stream);
            if (error.Headers[PortForwardProtocol.StreamType] == data.Headers[PortForwardProtocol.StreamType])
            {
                data.Reset(SpdyStreamStatus.RefusedStream);
                error.Reset(SpdyStreamStatus.RefusedStream);
                continue;
            }

            // Nothing is to come on it.
            await error.Input.CompleteAsync().ConfigureAwait(false);
            return new Connection(number, data, error);
        }

        return null;
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>Until the other one of the pair comes; a client that opens halves only is not waited for without bound.</summary>
    private void Keep(string id, SpdyStream stream)
    {
        foreach (var (left, _) in _unpaired.Where(pair => pair.Value.IsClosed).ToArray())
        {
            _unpaired.Remove(left);
        }

        if (_unpaired.Count < MaxUnpaired)
        {
            _unpaired.Add(id, stream);
        }
        else
        {
            stream.Reset(SpdyStreamStatus.RefusedStream);
        }
    }

    /// <summary>Clients too old to name their requests open the error stream first and the data stream after it.</summary>
    private static string RequestId(SpdyStream stream, bool isData) =>
        stream.Headers.GetValueOrDefault(PortForwardProtocol.RequestId) is { Length: > 0 } id
            ? id
            : "stream " + (isData ? stream.Id - 2 : stream.Id).ToString(CultureInfo.InvariantCulture);

    private sealed class Connection(int port, SpdyStream data, SpdyStream error) : PortForwardConnection
    {
        public override int Port => port;

        public override PipeReader Input => data.Input;

        public override bool IsInputCut => data.InputError is not null;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
            data.WriteAsync(bytes, cancellationToken);

        public override ValueTask CloseWriteAsync(CancellationToken cancellationToken) => data.CloseWriteAsync(cancellationToken);

        public override async ValueTask EndAsync(string? text, CancellationToken cancellationToken)
        {
            try
            {
                if (text is not null)
                {
                    await error.WriteAsync(Encoding.UTF8.GetBytes(text), cancellationToken).ConfigureAwait(false);
                }

                await error.CloseWriteAsync(cancellationToken).ConfigureAwait(false);
                await data.CloseWriteAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception lost) when (lost is SpdyException or InvalidOperationException)
            {
                // The client is gone, or has closed the connection itself.
            }

            // What the client has not closed is of no use any more: kubectl closes its error stream at once, its data stream late.
            data.Dispose();
            error.Dispose();
        }
    }
}
