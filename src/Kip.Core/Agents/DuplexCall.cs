using System.Threading.Channels;
using Google.Protobuf;
using Kip.Grpc;

namespace Kip.Agents;

/// <summary>
/// A call with messages both ways, as something to read from and write to. HTTP/2's flow control holds back both sides: no more than two
/// requests wait here.
/// </summary>
internal sealed class DuplexCall<TRequest, TReply> : IAsyncDisposable
    where TRequest : class, IMessage<TRequest>
    where TReply : class, IMessage<TReply>
{
    private readonly Channel<TRequest> _requests =
        Channel.CreateBounded<TRequest>(new BoundedChannelOptions(1) { SingleReader = true });

    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _reading = new(1);
    private readonly IAsyncEnumerator<TReply> _replies;
    private readonly string _cellId;
    private bool _disposed;

    public DuplexCall(GrpcChannel channel, Method<TRequest, TReply> method, TRequest first, string cellId)
    {
        _cellId = cellId;
        _requests.Writer.TryWrite(first);
        _replies = channel
            .DuplexStreamingAsync(method, RequestsAsync(), default, _end.Token)
            .GetAsyncEnumerator(_end.Token);
    }

    /// <summary>The next reply; null when the call has ended well. A read that is cancelled ends the call.</summary>
    public async ValueTask<TReply?> ReadAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        var ended = true;
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            using var cancelled = cancellationToken.UnsafeRegister(static end => ((CancellationTokenSource)end!).Cancel(), _end);
            ended = !await _replies.MoveNextAsync().ConfigureAwait(false);
            return ended ? null : _replies.Current;
        }
        catch (RpcException e)
        {
            throw GrpcCellAgent.Translate(e, _cellId);
        }
        catch (OperationCanceledException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new AgentException(AgentErrorKind.Unavailable, $"the stream to {_cellId} was closed", e);
        }
        finally
        {
            if (ended)
            {
                _requests.Writer.TryComplete();
            }

            _reading.Release();
        }
    }

    /// <summary>Sends a request once there is room for it; false when the call has ended.</summary>
    public async ValueTask<bool> WriteAsync(TRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await _requests.Writer.WriteAsync(request, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (ChannelClosedException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }

        await _end.CancelAsync().ConfigureAwait(false);
        _requests.Writer.TryComplete();
        // Whoever reads at this moment is told by the first of these lines.
        await _reading.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            await _replies.DisposeAsync().ConfigureAwait(false);
            _end.Dispose();
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>The call reads this to its end, or gives up when the agent takes no more: then nobody may wait for room.</summary>
    private async IAsyncEnumerable<TRequest> RequestsAsync()
    {
        try
        {
            await foreach (var request in _requests.Reader.ReadAllAsync(_end.Token).ConfigureAwait(false))
            {
                yield return request;
            }
        }
        finally
        {
            _requests.Writer.TryComplete();
        }
    }
}
