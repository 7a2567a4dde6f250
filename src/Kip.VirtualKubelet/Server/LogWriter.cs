using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using Kip.Agents;

namespace Kip.VirtualKubelet.Server;

/// <summary>Writes log entries as a client sees them: with times where asked for, and no more than the limit.</summary>
internal sealed class LogWriter(PipeWriter output, LogRequest request)
{
    private const byte NewLine = (byte)'\n';
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fffffff'00Z '";
    private const int TimeLength = 31;

    // With the words around a chunk, what a TLS stream below sends at once.
    private const int PieceSize = (32 * 1024) - 64;

    private Memory<byte> _piece;
    private int _used;
    private long _left = request.LimitBytes ?? long.MaxValue;
    private long _unflushed;
    private bool _isLineStart = true;

    public bool IsFull => _left == 0;

    /// <summary>As much has been written as is worth sending.</summary>
    public bool IsWorthFlushing => _unflushed >= PieceSize;

    public void Write(LogEntry entry)
    {
        if (request.Timestamps && _isLineStart && !entry.Data.IsEmpty)
        {
            // Nine digits of a fraction, as a kubelet writes; the clock knows seven.
            Span<byte> time = stackalloc byte[TimeLength];
            entry.Time.UtcDateTime.TryFormat(time, out var length, TimeFormat, CultureInfo.InvariantCulture);
            Write(time[..length]);
        }

        Write(entry.Data.Span);
        _isLineStart = entry.Data.Span is [.., NewLine] || (_isLineStart && entry.Data.IsEmpty);
    }

    /// <summary>Sends what has been written.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        EndPiece();
        _unflushed = 0;
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lines are gathered in large pieces: each that the server is given becomes a chunk of the answer.</summary>
    private void Write(ReadOnlySpan<byte> bytes)
    {
        var taken = bytes[..(int)Math.Min(bytes.Length, _left)];
        _left -= taken.Length;
        _unflushed += taken.Length;
        while (!taken.IsEmpty)
        {
            if (_used == _piece.Length)
            {
                EndPiece();
                _piece = output.GetMemory(PieceSize);
            }

            var count = Math.Min(taken.Length, _piece.Length - _used);
            taken[..count].CopyTo(_piece.Span[_used..]);
            taken = taken[count..];
            _used += count;
        }
    }

    private void EndPiece()
    {
        if (_used > 0)
        {
            output.Advance(_used);
        }

        (_piece, _used) = (default, 0);
    }
}
