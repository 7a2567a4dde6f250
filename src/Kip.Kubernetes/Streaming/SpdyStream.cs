using System.Buffers;
using System.IO.Pipelines;

namespace Kip.Kubernetes.Streaming;

/// <summary>
/// One stream of a <see cref="SpdyConnection"/>: two directions, each closed on its own. One reader and any number of writers at
/// a time.
/// </summary>
public sealed class SpdyStream : IDisposable
{
    private const int SegmentSize = 32 * 1024;

    private readonly Lock _gate = new();
    private readonly SpdyConnection _connection;
    private readonly Pipe _input;
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _inputDone;
    private bool _outputDone;
    private bool _discard;
    private SpdyException? _outputError;

    internal SpdyStream(SpdyConnection connection, uint id, IReadOnlyDictionary<string, string> headers, int bufferSize)
    {
        _connection = connection;
        Id = id;
        Headers = headers;
        _input = new Pipe(new PipeOptions(
            pauseWriterThreshold: bufferSize,
            resumeWriterThreshold: bufferSize / 2,
            // Of the size of the peers' frames; held only while there is something in it.
            minimumSegmentSize: SegmentSize,
            useSynchronizationContext: false));
    }

    /// <summary>The stream's number on the connection: odd when the client opened it.</summary>
    public uint Id { get; }

    /// <summary>The headers with which the stream was opened; names compare without case.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>
    /// What the peer sends. It ends after the last byte that arrived, whatever the end was: <see cref="InputError"/> tells.
    /// Complete it to throw away what still comes.
    /// </summary>
    public PipeReader Input => _input.Reader;

    /// <summary>Null when the peer ended its side properly; how it ended when the stream was reset or the connection lost.</summary>
    public SpdyException? InputError { get; private set; }

    /// <summary>The status with which the peer reset the stream.</summary>
    public SpdyStreamStatus ResetStatus { get; private set; }

    internal Task Opened => _opened.Task;

    internal bool IsClosed
    {
        get
        {
            lock (_gate)
            {
                return _inputDone && _outputDone;
            }
        }
    }

    /// <summary>
    /// Sends data, as fast as the peer takes it. Nothing is sent when <paramref name="data"/> is empty.
    /// </summary>
    /// <exception cref="SpdyException">The stream was reset, or the connection is lost.</exception>
    /// <exception cref="InvalidOperationException">This side was closed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; when a frame was half sent, the connection is lost.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            ThrowIfOutputDone();
        }

        return _connection.WriteDataAsync(this, data, cancellationToken);
    }

    /// <summary>Closes this side: the peer reads to the end. Does nothing when it is closed or the stream is reset.</summary>
    /// <exception cref="SpdyException">The connection is lost.</exception>
    public async ValueTask CloseWriteAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_outputDone)
            {
                return;
            }

            _outputDone = true;
        }

        await _connection.WriteFinAsync(this, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends both directions at once; what still comes is thrown away.</summary>
    public void Reset(SpdyStreamStatus status)
    {
        var error = new SpdyException($"stream {Id} was reset from here ({status})");
        bool wasOpen;
        lock (_gate)
        {
            wasOpen = !(_inputDone && _outputDone);
            _outputDone = true;
            _outputError ??= error;
            FailOpening(error);
        }

        EndInput(error);
        if (wasOpen)
        {
            _connection.SendReset(this, status);
        }
    }

    /// <summary>Resets the stream when either direction is open.</summary>
    public void Dispose() => Reset(SpdyStreamStatus.Cancel);

    internal void ThrowIfReset()
    {
        lock (_gate)
        {
            if (_outputError is { } error)
            {
                throw new SpdyException(error.Message, error);
            }
        }
    }

    internal bool MarkOpened() => _opened.TrySetResult();

    internal void EndOutput(SpdyException? error)
    {
        lock (_gate)
        {
            _outputDone = true;
            _outputError ??= error;
            if (error is not null)
            {
                FailOpening(error);
            }
        }
    }

    /// <summary>Takes in data. The flush ends when the reader has made room; false when the peer had closed its side.</summary>
    internal bool TryAppend(in ReadOnlySequence<byte> data, out ValueTask<FlushResult> flush, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            flush = default;
            if (_inputDone || _discard)
            {
                return !_inputDone;
            }

            foreach (var part in data)
            {
                _input.Writer.Write(part.Span);
            }

            flush = _input.Writer.FlushAsync(cancellationToken);
            return true;
        }
    }

    /// <summary>Nobody reads any more: what comes is not kept.</summary>
    internal void DiscardInput()
    {
        lock (_gate)
        {
            _discard = true;
            _input.Writer.CancelPendingFlush();
            _input.Writer.Complete();
        }
    }

    /// <summary>False when it had ended.</summary>
    internal bool EndInput(SpdyException? error, SpdyStreamStatus status = SpdyStreamStatus.None)
    {
        lock (_gate)
        {
            if (_inputDone)
            {
                return false;
            }

            _inputDone = true;
            InputError = error;
            ResetStatus = status;
            _input.Writer.CancelPendingFlush();
            _input.Writer.Complete();
            return true;
        }
    }

    private void FailOpening(SpdyException error)
    {
        // Looked at, since nobody waits for it on a stream that the peer opened.
        if (_opened.TrySetException(error))
        {
            _ = _opened.Task.Exception;
        }
    }

    private void ThrowIfOutputDone()
    {
        if (_outputError is { } error)
        {
            throw new SpdyException(error.Message, error);
        }

        if (_outputDone)
        {
            throw new InvalidOperationException($"stream {Id} is closed for writing");
        }
    }
}
