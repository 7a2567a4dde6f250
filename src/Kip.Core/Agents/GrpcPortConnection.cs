using Google.Protobuf;
using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agents;

/// <summary>One call of <c>ForwardPort</c>.</summary>
internal sealed class GrpcPortConnection : IPortConnection
{
    private const int LargestPiece = 64 << 10;

    private readonly DuplexCall<PortInput, PortOutput> _call;
    private readonly string _cellId;
    private ReadOnlyMemory<byte> _unread;
    private bool _readEnd;
    private bool _writeClosed;

    private GrpcPortConnection(DuplexCall<PortInput, PortOutput> call, string cellId) => (_call, _cellId) = (call, cellId);

    /// <summary>Opens one and waits until the server in the pod has accepted.</summary>
    public static async Task<IPortConnection> OpenAsync(GrpcChannel channel, PortOpen open, string cellId, CancellationToken cancellationToken)
    {
        var call = new DuplexCall<PortInput, PortOutput>(channel, AgentMethods.ForwardPort, new PortInput { Open = open }, cellId);
        try
        {
            return await call.ReadAsync(cancellationToken).ConfigureAwait(false) is { Opened: not null }
                ? new GrpcPortConnection(call, cellId)
                : throw new AgentException(AgentErrorKind.Failed, $"the agent of {cellId} did not say that the port is open");
        }
        catch
        {
            await call.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfZero(buffer.Length);
        while (_unread.IsEmpty && !_readEnd)
        {
            var output = await _call.ReadAsync(cancellationToken).ConfigureAwait(false)
                ?? throw new AgentException(AgentErrorKind.Unavailable, $"the agent of {_cellId} ended the connection");
            _readEnd = output.EndOfData is not null;
            _unread = output.Data.Memory;
        }

        var count = Math.Min(buffer.Length, _unread.Length);
        _unread[..count].CopyTo(buffer);
        _unread = _unread[count..];
        return count;
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (_writeClosed)
        {
            throw new InvalidOperationException("This side of the connection was closed.");
        }

        for (var rest = data; !rest.IsEmpty;)
        {
            var piece = rest[..Math.Min(rest.Length, LargestPiece)];
            rest = rest[piece.Length..];
            if (!await _call.WriteAsync(new PortInput { Data = ByteString.CopyFrom(piece.Span) }, cancellationToken).ConfigureAwait(false))
            {
                throw new AgentException(AgentErrorKind.Unavailable, "the server in the pod closed the connection");
            }
        }
    }

    public async ValueTask CloseWriteAsync(CancellationToken cancellationToken)
    {
        if (!_writeClosed)
        {
            _writeClosed = true;
            await _call.WriteAsync(new PortInput { EndOfData = new EndOfData() }, cancellationToken).ConfigureAwait(false);
        }
    }

    public ValueTask DisposeAsync() => _call.DisposeAsync();
}
