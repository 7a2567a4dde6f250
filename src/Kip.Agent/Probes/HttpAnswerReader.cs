using System.Globalization;
using System.Text;

namespace Kip.Agent.Probes;

/// <summary>What a server says before the body of its answer.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Location">Where it redirects to; empty when it names no place.</param>
/// <param name="Length">How many bytes the body has; null when it goes on until the connection ends, or in chunks.</param>
/// <param name="IsChunked">The body comes in chunks.</param>
internal readonly record struct HttpAnswerHead(int Status, string Location, long? Length, bool IsChunked);

/// <summary>
/// Reads the one answer of a connection: HTTP/1.0 and 1.1 by RFC 9112, as far as a probe needs it. What is no such answer is an
/// <see cref="IOException"/> that says what is wrong with it.
/// </summary>
internal sealed class HttpAnswerReader(Stream stream)
{
    /// <summary>Limit for the bytes of all lines of an answer together; those between chunks count too.</summary>
    private const int MostLineBytes = 64 << 10;

    private const int MostInterimAnswers = 5;

    private byte[] _buffer = new byte[2 << 10];
    private int _start;
    private int _end;
    private int _lineBytes;

    /// <summary>Reads up to where the body begins, past interim answers.</summary>
    /// <exception cref="IOException">The connection ended or broke, or this is no answer.</exception>
    public async ValueTask<HttpAnswerHead> ReadHeadAsync(CancellationToken cancellationToken)
    {
        for (var interim = 0; interim <= MostInterimAnswers; interim++)
        {
            var head = await ReadOneHeadAsync(cancellationToken);
            if (head.Status is >= 200 or 101)
            {
                return head;
            }
        }

        throw new IOException("too many 1xx informational responses");
    }

    /// <summary>Reads the beginning of the body.</summary>
    /// <param name="head">What came before it.</param>
    /// <param name="body">Takes it; what does not fit is not read.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many bytes there are.</returns>
    /// <exception cref="IOException">It is shorter than was said, or the connection broke.</exception>
    public async ValueTask<int> ReadBodyAsync(HttpAnswerHead head, Memory<byte> body, CancellationToken cancellationToken)
    {
        if (head.Status is 101 or 204 or 304)
        {
            return 0;
        }

        if (head.IsChunked)
        {
            return await ReadChunksAsync(body, cancellationToken);
        }

        var wanted = head.Length < body.Length ? body[..(int)head.Length.Value] : body;
        var count = await ReadAsync(wanted, cancellationToken);
        return count == wanted.Length || head.Length is null ? count : throw new IOException("unexpected EOF");
    }

    private async ValueTask<HttpAnswerHead> ReadOneHeadAsync(CancellationToken cancellationToken)
    {
        var first = await ReadLineAsync(cancellationToken) ?? throw new IOException("EOF");
        if (!first.StartsWith("HTTP/1.", StringComparison.Ordinal) || first.Split(' ', 3) is not [_, { Length: 3 } code, ..]
            || !int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var status) || status < 100)
        {
            throw new IOException($"malformed HTTP response \"{(first.Length > 100 ? first[..100] : first)}\"");
        }

        var head = new HttpAnswerHead(status, "", null, false);
        var (name, value) = ("", "");
        while (true)
        {
            var line = await ReadLineAsync(cancellationToken) ?? throw new IOException("unexpected EOF");
            if (line is [' ' or '\t', ..] && name.Length > 0)
            {
                value = $"{value} {line.Trim()}".Trim(); // a line folded in the old way
                continue;
            }

            head = With(head, name, value);
            if (line.Length == 0)
            {
                return head;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            (name, value) = colon > 0 ? (line[..colon], line[(colon + 1)..].Trim()) : throw new IOException($"malformed header line \"{(line.Length > 100 ? line[..100] : line)}\"");
        }
    }

    private static HttpAnswerHead With(HttpAnswerHead head, string name, string value)
    {
        if (name.Equals("Location", StringComparison.OrdinalIgnoreCase))
        {
            return head with { Location = value };
        }

        if (name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase))
        {
            return value.Equals("chunked", StringComparison.OrdinalIgnoreCase) ? head with { IsChunked = true }
                : throw new IOException($"unsupported transfer encoding \"{value}\"");
        }

        return !name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) ? head
            : long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && (head.Length ?? length) == length ? head with { Length = length }
            : throw new IOException($"bad Content-Length \"{value}\"");
    }

    private async ValueTask<int> ReadChunksAsync(Memory<byte> body, CancellationToken cancellationToken)
    {
        var count = 0;
        while (true)
        {
            var line = await ReadLineAsync(cancellationToken) ?? throw new IOException("unexpected EOF");
            if (!long.TryParse(line.Split(';')[0].Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var size) || size < 0)
            {
                throw new IOException("invalid byte in chunk length");
            }

            var part = body.Slice(count, (int)Math.Min(size, body.Length - count));
            count += await ReadAsync(part, cancellationToken) == part.Length ? part.Length : throw new IOException("unexpected EOF");
            if (size == 0 || count == body.Length)
            {
                return count;
            }

            if (await ReadLineAsync(cancellationToken) is not "")
            {
                throw new IOException("malformed chunked encoding");
            }
        }
    }

    /// <returns>Bytes read: all that fit, unless the connection ended before.</returns>
    private async ValueTask<int> ReadAsync(Memory<byte> into, CancellationToken cancellationToken)
    {
        var ready = Math.Min(_end - _start, into.Length);
        _buffer.AsMemory(_start, ready).CopyTo(into);
        _start += ready;
        return ready + await stream.ReadAtLeastAsync(into[ready..], into.Length - ready, throwOnEndOfStream: false, cancellationToken);
    }

    /// <returns>The next line without its end, null when the connection has ended.</returns>
    private async ValueTask<string?> ReadLineAsync(CancellationToken cancellationToken)
    {
        int length;
        while ((length = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n')) < 0)
        {
            if (_lineBytes + _end - _start > MostLineBytes)
            {
                break;
            }

            if (_end == _buffer.Length)
            {
                var larger = _start > 0 ? _buffer : new byte[_buffer.Length * 2];
                _buffer.AsSpan(_start, _end - _start).CopyTo(larger);
                (_buffer, _start, _end) = (larger, 0, _end - _start);
            }

            var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            if (count == 0)
            {
                return _start == _end ? null : throw new IOException("unexpected EOF");
            }

            _end += count;
        }

        if ((_lineBytes += length + 1) > MostLineBytes || length < 0)
        {
            throw new IOException($"server response headers exceeded {MostLineBytes} bytes; aborted");
        }

        var line = Encoding.Latin1.GetString(_buffer, _start, length);
        _start += length + 1;
        return line.EndsWith('\r') ? line[..^1] : line;
    }
}
