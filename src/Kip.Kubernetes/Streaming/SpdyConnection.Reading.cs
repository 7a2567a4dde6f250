using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.WebSockets;

namespace Kip.Kubernetes.Streaming;

public sealed partial class SpdyConnection
{
    private const int StreamIdSize = 4;
    private const int SynStreamFixedSize = 10;
    private static readonly TimeSpan ProtocolErrorTimeout = TimeSpan.FromSeconds(1);

    private async Task ReadUntilClosedAsync()
    {
        try
        {
            await ReadFramesAsync().ConfigureAwait(false);
            Abort(new SpdyException("the peer has closed the connection"), isFailure: false);
        }
        catch (SpdyException error)
        {
            await TrySayProtocolErrorAsync().ConfigureAwait(false);
            Abort(error);
        }
        catch (Exception error) when (error is IOException or WebSocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            Abort(new SpdyException("the connection is lost: " + error.Message, error));
        }
        finally
        {
            await _reader.CompleteAsync().ConfigureAwait(false);
            _headerReader.Dispose();
        }
    }

    private async Task ReadFramesAsync()
    {
        var headBytes = new byte[SpdyFrame.HeaderSize];
        while (true)
        {
            var result = await _reader.ReadAtLeastAsync(SpdyFrame.HeaderSize, Closed).ConfigureAwait(false);
            var buffer = result.Buffer;
            if (buffer.Length < SpdyFrame.HeaderSize)
            {
                if (buffer.IsEmpty)
                {
                    return;
                }

                throw CutFrame();
            }

            buffer.Slice(0, SpdyFrame.HeaderSize).CopyTo(headBytes);
            _reader.AdvanceTo(buffer.GetPosition(SpdyFrame.HeaderSize));
            var head = SpdyFrame.Read(headBytes);
            if (!head.IsControl)
            {
                var stream = FindDataStream(head.Word);
                for (var left = head.Length; left > 0;)
                {
                    // Data goes on as it comes: a frame of 16 MiB is never held.
                    result = await _reader.ReadAsync(Closed).ConfigureAwait(false);
                    if (result.Buffer.IsEmpty)
                    {
                        throw CutFrame();
                    }

                    var part = result.Buffer.Slice(0, Math.Min(left, result.Buffer.Length));
                    left -= (int)part.Length;
                    var flush = default(ValueTask<FlushResult>);
                    if (stream is not null && !stream.TryAppend(part, out flush, Closed))
                    {
                        AnswerLateData(stream.Id);
                        stream = null;
                    }

                    _reader.AdvanceTo(part.End);
                    var flushed = flush.IsCompletedSuccessfully
                        ? flush.Result
                        : await WaitForReaderAsync(stream!, flush).ConfigureAwait(false);
                    if (flushed.IsCompleted)
                    {
                        stream?.DiscardInput();
                    }
                }

                if (head.Fin && stream is not null)
                {
                    stream.EndInput(error: null);
                    RemoveIfClosed(stream);
                }

                continue;
            }

            if (head.Length > _options.MaxControlFrameSize)
            {
                throw new SpdyException($"the peer sent a control frame of {head.Length} bytes, more than {_options.MaxControlFrameSize}");
            }

            if (head.Length == 0)
            {
                HandleControl(head, default);
                continue;
            }

            result = await _reader.ReadAtLeastAsync(head.Length, Closed).ConfigureAwait(false);
            if (result.Buffer.Length < head.Length)
            {
                throw CutFrame();
            }

            var body = result.Buffer.Slice(0, head.Length);
            var bytes = body.ToArray();
            _reader.AdvanceTo(body.End);
            HandleControl(head, bytes);
        }
    }

    /// <summary>The stream that data is for, or null when the data is to be thrown away.</summary>
    private SpdyStream? FindDataStream(uint id)
    {
        lock (_gate)
        {
            if (_streams.TryGetValue(id, out var stream))
            {
                return stream;
            }

            // Data for a stream that was reset from here may still be on its way.
            var isOwn = id % 2 == (_isClient ? 1 : 0);
            if (id != 0 && id <= (isOwn ? _lastOwnId : _lastPeerId))
            {
                return null;
            }
        }

        Answer(new ControlFrame(SpdyFrame.RstStream, id, (uint)SpdyStreamStatus.InvalidStream));
        return null;
    }

    /// <summary>Data after the end, which is the peer's fault unless the stream was reset from here.</summary>
    private void AnswerLateData(uint id)
    {
        if (Find(id) is not null)
        {
            Answer(new ControlFrame(SpdyFrame.RstStream, id, (uint)SpdyStreamStatus.StreamAlreadyClosed));
        }
    }

    /// <summary>Nothing else is read meanwhile: that is what keeps the peer back.</summary>
    private async ValueTask<FlushResult> WaitForReaderAsync(SpdyStream stream, ValueTask<FlushResult> flush)
    {
        if (_options.StallTimeout == Timeout.InfiniteTimeSpan)
        {
            return await flush.ConfigureAwait(false);
        }

        var flushed = flush.AsTask();
        try
        {
            return await flushed.WaitAsync(_options.StallTimeout, _options.TimeProvider, Closed).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            stream.Reset(SpdyStreamStatus.FlowControlError);
            return await flushed.ConfigureAwait(false);
        }
    }

    private void HandleControl(in SpdyFrame.Head head, ReadOnlyMemory<byte> body)
    {
        if (head.ControlVersion != SpdyFrame.Version)
        {
            throw new SpdyException($"the peer sent a frame of SPDY version {head.ControlVersion}; 3 is spoken here");
        }

        switch (head.Type)
        {
            case SpdyFrame.SynStream:
                HandleSynStream(head, body);
                break;
            case SpdyFrame.SynReply:
                HandleSynReply(head, body);
                break;
            case SpdyFrame.RstStream:
                HandleRstStream(ReadNumber(body, 0) & SpdyFrame.StreamIdMask, (SpdyStreamStatus)ReadNumber(body, StreamIdSize));
                break;
            case SpdyFrame.Ping:
                HandlePing(ReadNumber(body, 0));
                break;
            case SpdyFrame.GoAway:
                _ = ReadNumber(body, 0);
                break;
            case SpdyFrame.Headers:
                _ = ReadNumber(body, 0);
                _headerReader.Read(body[StreamIdSize..]);
                break;
            default:
                // SETTINGS and WINDOW_UPDATE have nothing to say here; unknown frames are to be ignored.
                break;
        }
    }

    private void HandleSynStream(in SpdyFrame.Head head, ReadOnlyMemory<byte> body)
    {
        if (body.Length < SynStreamFixedSize)
        {
            throw Malformed("SYN_STREAM");
        }

        var id = ReadNumber(body, 0) & SpdyFrame.StreamIdMask;
        var headers = _headerReader.Read(body[SynStreamFixedSize..]);
        SpdyStream? stream = null;
        lock (_gate)
        {
            if (id == 0 || id % 2 != (_isClient ? 0 : 1) || id <= _lastPeerId)
            {
                throw new SpdyException($"the peer opened stream {id} after stream {_lastPeerId}, which is out of order");
            }

            _lastPeerId = id;
            if (!_draining && _streams.Count < _options.MaxStreams)
            {
                stream = new SpdyStream(this, id, headers, _options.StreamBufferSize);
                _streams.Add(id, stream);
            }
        }

        if (stream is null)
        {
            Answer(new ControlFrame(SpdyFrame.RstStream, id, (uint)SpdyStreamStatus.RefusedStream));
            return;
        }

        stream.MarkOpened();
        if (head.Fin)
        {
            stream.EndInput(error: null);
        }

        if ((head.Flags & SpdyFrame.FlagUnidirectional) != 0)
        {
            stream.EndOutput(error: null);
            RemoveIfClosed(stream);
        }
        else
        {
            Answer(new ControlFrame(SpdyFrame.SynReply, id, 0));
        }

        _accepted.Writer.TryWrite(stream);
    }

    private void HandleSynReply(in SpdyFrame.Head head, ReadOnlyMemory<byte> body)
    {
        var id = ReadNumber(body, 0) & SpdyFrame.StreamIdMask;
        _headerReader.Read(body[StreamIdSize..]);
        if (Find(id) is not { } stream)
        {
            return;
        }

        if (!stream.MarkOpened())
        {
            throw new SpdyException($"the peer accepted stream {id} twice");
        }

        if (head.Fin)
        {
            stream.EndInput(error: null);
            RemoveIfClosed(stream);
        }
    }

    private void HandleRstStream(uint id, SpdyStreamStatus status)
    {
        SpdyStream? stream;
        lock (_gate)
        {
            _streams.Remove(id, out stream);
        }

        var error = new SpdyException($"stream {id} was reset by the peer ({status})");
        stream?.EndInput(error, status);
        stream?.EndOutput(error);
    }

    private void HandlePing(uint id)
    {
        // Odd numbers are the client's: what is one's own is an answer.
        if (id % 2 != (_isClient ? 1 : 0))
        {
            Answer(new ControlFrame(SpdyFrame.Ping, id, 0));
        }
    }

    private SpdyStream? Find(uint id)
    {
        lock (_gate)
        {
            return _streams.GetValueOrDefault(id);
        }
    }

    private async Task TrySayProtocolErrorAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(ProtocolErrorTimeout, _options.TimeProvider);
            await SendGoAwayAsync(GoAwayStatus.ProtocolError, limit.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is SpdyException or OperationCanceledException)
        {
            // The peer is not there any more to be told.
        }
    }

    private static uint ReadNumber(ReadOnlyMemory<byte> body, int offset) => body.Length >= offset + sizeof(uint)
        ? BinaryPrimitives.ReadUInt32BigEndian(body.Span[offset..])
        : throw Malformed("control frame");

    private static SpdyException Malformed(string frame) => new($"the peer sent a {frame} that is too short");

    private static SpdyException CutFrame() => new("the connection was cut inside a frame");
}
