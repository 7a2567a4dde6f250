using System.Runtime.CompilerServices;

namespace Kip.Agent.Logs;

/// <summary>
/// One record of a log in CRI format: <c>TIME STREAM TAGS CONTENT</c>, ended by a newline that is not part of it. The tag F ends a line of the
/// container, P says that the line goes on in the next record of that stream
/// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
/// </summary>
internal readonly ref struct LogRecord
{
    private const int DateLength = 19;
    private const int EpochDay = 719_162; // DayNumber of 1970-01-01
    private const long NanosecondsPerSecond = 1_000_000_000;

    private LogRecord(long unixNanoseconds, bool isError, bool isPartial, ReadOnlySpan<byte> content)
    {
        UnixNanoseconds = unixNanoseconds;
        IsError = isError;
        IsPartial = isPartial;
        Content = content;
    }

    public long UnixNanoseconds { get; }

    /// <summary>Standard error, not standard output.</summary>
    public bool IsError { get; }

    public bool IsPartial { get; }

    public ReadOnlySpan<byte> Content { get; }

    /// <summary>Reads a record; false when it is none, as after a crash in the middle of a write.</summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out LogRecord record)
    {
        record = default;
        var time = Word(ref line);
        var stream = Word(ref line);
        var tags = Word(ref line);
        if (!TryParseTime(time, out var nanoseconds) || tags.IsEmpty || !(stream.SequenceEqual("stdout"u8) || stream.SequenceEqual("stderr"u8)))
        {
            return false;
        }

        var colon = tags.IndexOf((byte)':');
        var first = colon < 0 ? tags : tags[..colon];
        record = new LogRecord(nanoseconds, stream.SequenceEqual("stderr"u8), first.SequenceEqual("P"u8), line);
        return true;
    }

    private static ReadOnlySpan<byte> Word(ref ReadOnlySpan<byte> line)
    {
        var space = line.IndexOf((byte)' ');
        if (space < 0)
        {
            // A record without content may lack the last space.
            var rest = line;
            line = default;
            return rest;
        }

        var word = line[..space];
        line = line[(space + 1)..];
        return word;
    }

    /// <summary>RFC 3339 with up to nine digits of fraction, finer than what .NET's own time holds.</summary>
    private static bool TryParseTime(ReadOnlySpan<byte> text, out long nanoseconds)
    {
        nanoseconds = 0;
        if (text.Length <= DateLength
            || !TryParseDigits(text[..4], out var year) || !TryParseDigits(text[5..7], out var month) || !TryParseDigits(text[8..10], out var day)
            || !TryParseDigits(text[11..13], out var hour) || !TryParseDigits(text[14..16], out var minute) || !TryParseDigits(text[17..19], out var second)
            || year is < 1970 or > 9999 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month))
        {
            return false;
        }

        var rest = text[DateLength..];
        long fraction = 0;
        if (rest[0] == (byte)'.')
        {
            var digits = rest[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            if (digits is < 1 or > 9 || !TryParseDigits(rest.Slice(1, digits), out var parsed))
            {
                return false;
            }

            fraction = parsed;
            for (var i = digits; i < 9; i++)
            {
                fraction *= 10;
            }

            rest = rest[(digits + 1)..];
        }

        if (!TryParseOffset(rest, out var offset))
        {
            return false;
        }

        var days = new DateOnly(year, month, day).DayNumber - EpochDay;
        var seconds = (((days * 24L) + hour) * 60 + minute) * 60 + second - offset;
        nanoseconds = (seconds * NanosecondsPerSecond) + fraction;
        return true;
    }

    private static bool TryParseOffset(ReadOnlySpan<byte> text, out long seconds)
    {
        seconds = 0;
        if (text.SequenceEqual("Z"u8))
        {
            return true;
        }

        if (text.Length != 6 || !TryParseDigits(text[1..3], out var hours) || !TryParseDigits(text[4..6], out var minutes))
        {
            return false;
        }

        seconds = ((hours * 60) + minutes) * 60 * (text[0] == (byte)'-' ? -1 : 1);
        return text[0] is (byte)'-' or (byte)'+';
    }

    /// <summary>Up to nine digits. A log has them in every line, and the framework's parsers take three times as long.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryParseDigits(ReadOnlySpan<byte> text, out int value)
    {
        value = 0;
        foreach (var digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            value = (value * 10) + (digit - '0');
        }

        return true;
    }
}
