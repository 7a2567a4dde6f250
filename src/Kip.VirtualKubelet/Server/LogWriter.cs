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

    private long _left = request.LimitBytes ?? long.MaxValue;
    private bool _isLineStart = true;

    public bool IsFull => _left == 0;

    /// <summary>Bytes written since it was last set to 0.</summary>
    public long Unflushed { get; set; }

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

    private void Write(ReadOnlySpan<byte> bytes)
    {
        var taken = bytes[..(int)Math.Min(bytes.Length, _left)];
        output.Write(taken);
        _left -= taken.Length;
        Unflushed += taken.Length;
    }
}
