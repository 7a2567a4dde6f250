namespace Kip.Kubernetes.Streaming;

/// <summary>
/// A connection that tells when it is seen to be lost, by reading or by writing. A WebSocket on it whose reader waits for somebody
/// does not read; its keep-alive writes are then what finds out.
/// </summary>
internal sealed class WatchedStream(Stream inner) : Stream
{
    private readonly CancellationTokenSource _lost = new();

    public CancellationToken Lost => _lost.Token;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (count == 0 && !buffer.IsEmpty)
            {
                await _lost.CancelAsync().ConfigureAwait(false);
            }

            return count;
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            await _lost.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            await _lost.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _lost.Cancel();
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
