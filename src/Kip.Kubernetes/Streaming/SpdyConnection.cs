using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Kip.Kubernetes.Streaming;

/// <summary>
/// A SPDY/3.1 connection, as client or server, over any duplex stream. It is what kubectl, the API server, kubelets and container
/// runtimes speak for exec, attach and port-forward.
/// </summary>
/// <remarks>
/// Kubernetes' peers neither send nor obey window updates, so there is no flow control per stream: the connection is read only as
/// fast as its streams' readers take, and a stream whose reader has stopped stops the others too, once its buffer is full.
/// <see cref="StreamingOptions.StallTimeout"/> ends that.
/// </remarks>
public sealed partial class SpdyConnection : IAsyncDisposable
{
    // With its header, what a TLS stream below sends at once.
    private const int MaxDataFrame = (32 * 1024) - SpdyFrame.HeaderSize;
    private const int MaxQueuedControlFrames = 256;
    private const int ReadBufferSize = 64 * 1024;

    private readonly Stream _transport;
    private readonly bool _isClient;
    private readonly StreamingOptions _options;
    private readonly PipeReader _reader;
    private readonly CancellationTokenSource _closed = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, SpdyStream> _streams = [];
    private readonly Channel<SpdyStream> _accepted = Channel.CreateUnbounded<SpdyStream>();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly SpdyHeaderWriter _headerWriter = new();
    private readonly SpdyHeaderReader _headerReader;

    // What answers to a frame goes out through a queue of its own: a reader that waited for its answer to be taken could wait
    // for a peer that waits for it.
    private readonly Channel<ControlFrame> _answers = Channel.CreateBounded<ControlFrame>(
        new BoundedChannelOptions(MaxQueuedControlFrames) { SingleReader = true });

    private readonly Task _work;
    private uint _lastOwnId;
    private uint _lastPeerId;
    private bool _draining;
    private bool _isClosed;
    private SpdyException? _error;

    /// <summary>Starts to speak SPDY/3.1 on a stream, which from now on belongs to the connection.</summary>
    public SpdyConnection(Stream transport, SpdyRole role, StreamingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(transport);
        _transport = transport;
        _isClient = role == SpdyRole.Client;
        _options = options ?? new StreamingOptions();
        _headerReader = new SpdyHeaderReader(_options.MaxHeaderBytes);
        _reader = PipeReader.Create(
            transport, new StreamPipeReaderOptions(bufferSize: ReadBufferSize, leaveOpen: true, useZeroByteReads: true));
        Closed = _closed.Token;
        Completion = Task.Run(ReadUntilClosedAsync);
        _work = Task.WhenAll(Completion, Task.Run(SendAnswersAsync), KeepAliveAsync());
    }

    /// <summary>Ends, never faulted, when nothing is read any more: the peer has closed, or something broke.</summary>
    public Task Completion { get; }

    /// <summary>Cancelled when the connection has ended, whoever ended it.</summary>
    public CancellationToken Closed { get; }

    /// <summary>What broke the connection; null while it works and when it was closed properly.</summary>
    public SpdyException? Error
    {
        get
        {
            lock (_gate)
            {
                return _error;
            }
        }
    }

    /// <summary>Opens a stream and waits until the peer has accepted it.</summary>
    /// <exception cref="SpdyException">The peer refused it, or the connection is lost.</exception>
    public async Task<SpdyStream> OpenStreamAsync(IReadOnlyDictionary<string, string> headers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(headers);
        SpdyStream stream;
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var block = _headerWriter.Write(headers);
            stream = AddOwnStream(headers);
            await SendAsync(SynStream(stream.Id, block), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }

        try
        {
            await stream.Opened.WaitAsync(cancellationToken).ConfigureAwait(false);
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Waits for the next stream that the peer opens; null when it opens no more.</summary>
    public async ValueTask<SpdyStream?> AcceptStreamAsync(CancellationToken cancellationToken)
    {
        while (await _accepted.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_accepted.Reader.TryRead(out var stream))
            {
                return stream;
            }
        }

        return null;
    }

    /// <summary>
    /// Says good-bye and waits, up to <see cref="StreamingOptions.LingerTimeout"/>, until the peer has closed: bytes on their
    /// way to it would be lost otherwise. What still comes is thrown away.
    /// </summary>
    public async ValueTask CloseAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SendGoAwayAsync(GoAwayStatus.Ok, cancellationToken).ConfigureAwait(false);
            Drain();
            await Completion.WaitAsync(_options.LingerTimeout, _options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is SpdyException or TimeoutException)
        {
            // Either way it ends here.
        }

        await DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Ends the connection at once, and with it every stream.</summary>
    public async ValueTask DisposeAsync()
    {
        Abort(new SpdyException("the connection was closed from here"), isFailure: false);
        await _work.ConfigureAwait(false);
        _closed.Dispose();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    internal async ValueTask WriteDataAsync(SpdyStream stream, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        while (!data.IsEmpty)
        {
            var part = data[..Math.Min(data.Length, MaxDataFrame)];
            data = data[part.Length..];
            await WriteFrameAsync(stream, part, flags: 0, cancellationToken).ConfigureAwait(false);
        }
    }

    internal async ValueTask WriteFinAsync(SpdyStream stream, CancellationToken cancellationToken)
    {
        await WriteFrameAsync(stream, default, SpdyFrame.FlagFin, cancellationToken).ConfigureAwait(false);
        RemoveIfClosed(stream);
    }

    internal void SendReset(SpdyStream stream, SpdyStreamStatus status)
    {
        lock (_gate)
        {
            _streams.Remove(stream.Id);
        }

        Answer(new ControlFrame(SpdyFrame.RstStream, stream.Id, (uint)status));
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteFrameAsync(SpdyStream stream, ReadOnlyMemory<byte> data, byte flags, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);

        // Header and data in one piece: one system call, one TLS record. Rented only while it is used, so an idle session has none.
        var frame = ArrayPool<byte>.Shared.Rent(SpdyFrame.HeaderSize + data.Length);
        try
        {
            stream.ThrowIfReset();
            SpdyFrame.WriteData(frame, stream.Id, flags, data.Length);
            data.CopyTo(frame.AsMemory(SpdyFrame.HeaderSize));
            await SendAsync(frame.AsMemory(0, SpdyFrame.HeaderSize + data.Length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
            _writing.Release();
        }
    }

    /// <summary>Sends a whole frame; whoever calls holds the right to write. Half a frame cannot be taken back.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        try
        {
            ThrowIfClosed();
            await _transport.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
            await _transport.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Abort(new SpdyException("a frame was sent in part only, since its sender was cancelled"));
            throw;
        }
        catch (Exception error) when (error is IOException and not SpdyException or WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            var lost = new SpdyException("the connection is lost: " + error.Message, error);
            Abort(lost);
            throw lost;
        }
    }

    private async Task SendGoAwayAsync(GoAwayStatus status, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            uint last;
            lock (_gate)
            {
                last = _lastPeerId;
            }

            await SendAsync(Encode(new ControlFrame(SpdyFrame.GoAway, last, (uint)status)), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task SendAnswersAsync()
    {
        try
        {
            await foreach (var answer in _answers.Reader.ReadAllAsync(Closed).ConfigureAwait(false))
            {
                await _writing.WaitAsync(Closed).ConfigureAwait(false);
                try
                {
                    await SendAsync(Encode(answer), Closed).ConfigureAwait(false);
                }
                finally
                {
                    _writing.Release();
                }
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SpdyException)
        {
            // The connection has ended, which everybody is told by other means.
        }
    }

    private async Task KeepAliveAsync()
    {
        if (_options.KeepAliveInterval == Timeout.InfiniteTimeSpan)
        {
            return;
        }

        var ping = _isClient ? 1u : 2u;
        using var timer = new PeriodicTimer(_options.KeepAliveInterval, _options.TimeProvider);
        try
        {
            while (await timer.WaitForNextTickAsync(Closed).ConfigureAwait(false))
            {
                // A queue that is full means that the peer does not read: the writes that wait will tell.
                _answers.Writer.TryWrite(new ControlFrame(SpdyFrame.Ping, ping, 0));
                ping += 2;
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
    }

    /// <summary>Queues what answers a frame. A peer that asks for answers and does not take them is sent away.</summary>
    private void Answer(ControlFrame answer)
    {
        if (!_answers.Writer.TryWrite(answer) && !Closed.IsCancellationRequested)
        {
            Abort(new SpdyException($"the peer has left {MaxQueuedControlFrames} answers unread"));
        }
    }

    private SpdyStream AddOwnStream(IReadOnlyDictionary<string, string> headers)
    {
        lock (_gate)
        {
            ThrowIfClosed();
            if (_draining)
            {
                throw new SpdyException("the connection is closing: no stream can be opened");
            }

            _lastOwnId = _lastOwnId == 0 ? (_isClient ? 1u : 2u) : _lastOwnId + 2;
            if (_lastOwnId > SpdyFrame.StreamIdMask)
            {
                throw new SpdyException("the connection has used up its stream numbers");
            }

            var stream = new SpdyStream(this, _lastOwnId, headers, _options.StreamBufferSize);
            _streams.Add(stream.Id, stream);
            return stream;
        }
    }

    private void RemoveIfClosed(SpdyStream stream)
    {
        if (stream.IsClosed)
        {
            lock (_gate)
            {
                _streams.Remove(stream.Id);
            }
        }
    }

    /// <summary>Throws away what still comes.</summary>
    private void Drain()
    {
        SpdyStream[] streams;
        lock (_gate)
        {
            _draining = true;
            streams = [.. _streams.Values];
        }

        foreach (var stream in streams)
        {
            stream.DiscardInput();
        }
    }

    private void ThrowIfClosed()
    {
        lock (_gate)
        {
            if (_isClosed)
            {
                throw new SpdyException(_error?.Message ?? "the connection is closed");
            }
        }
    }

    /// <summary>Ends the connection: what waits on it is woken and told <paramref name="error"/>.</summary>
    private void Abort(SpdyException error, bool isFailure = true)
    {
        SpdyStream[] streams;
        lock (_gate)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
            _error = isFailure ? error : null;
            streams = [.. _streams.Values];
            _streams.Clear();
        }

        _closed.Cancel();
        _answers.Writer.TryComplete();
        _accepted.Writer.TryComplete();
        foreach (var stream in streams)
        {
            stream.EndInput(error);
            stream.EndOutput(error);
        }

        _transport.Dispose();
    }

    private byte[] Encode(ControlFrame frame)
    {
        // Header blocks are made in the order in which they are sent, which is here.
        var block = frame.Type == SpdyFrame.SynReply ? _headerWriter.Write(new Dictionary<string, string>()) : [];
        var hasSecond = frame.Type is SpdyFrame.RstStream or SpdyFrame.GoAway;
        var length = (hasSecond ? 8 : 4) + block.Length;
        var bytes = new byte[SpdyFrame.HeaderSize + length];
        SpdyFrame.WriteControl(bytes, frame.Type, flags: 0, length);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(SpdyFrame.HeaderSize), frame.First);
        if (hasSecond)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(SpdyFrame.HeaderSize + 4), frame.Second);
        }

        block.CopyTo(bytes, SpdyFrame.HeaderSize + length - block.Length);
        return bytes;
    }

    private static byte[] SynStream(uint id, byte[] block)
    {
        const int Fixed = 10;
        var bytes = new byte[SpdyFrame.HeaderSize + Fixed + block.Length];
        SpdyFrame.WriteControl(bytes, SpdyFrame.SynStream, flags: 0, Fixed + block.Length);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(SpdyFrame.HeaderSize), id);
        block.CopyTo(bytes, SpdyFrame.HeaderSize + Fixed);
        return bytes;
    }

    private enum GoAwayStatus : uint
    {
        Ok = 0,
        ProtocolError = 1,
    }

    private readonly record struct ControlFrame(ushort Type, uint First, uint Second);
}
