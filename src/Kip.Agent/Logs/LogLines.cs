using System.Buffers;
using Google.Protobuf;
using Kip.Agents.Protocol;
using Microsoft.Win32.SafeHandles;

namespace Kip.Agent.Logs;

/// <summary>Reads records from one log file as far as it goes, and further when it has grown. At the file's end it holds no buffer.</summary>
internal sealed class LogLines : IDisposable
{
    private const int ReadSize = 64 << 10;

    private readonly SafeFileHandle _file;
    private long _position;
    private byte[] _buffer = [];
    private int _start;
    private int _end;

    private LogLines(SafeFileHandle file, long position) => (_file, _position) = (file, position);

    /// <summary>Opens a file; null when there is none.</summary>
    public static LogLines? TryOpen(string path, long offset)
    {
        try
        {
            return new LogLines(File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete), offset);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The next records from this time on; null at the present end. Their data is good until the next call.</summary>
    /// <param name="sinceNanoseconds">Older ones are left out.</param>
    /// <param name="many">As many as are there, up to a buffer full; else one.</param>
    public LogChunk? Next(long sinceNanoseconds, bool many)
    {
        do
        {
            if (Take(sinceNanoseconds, many) is { } chunk)
            {
                return chunk;
            }
        }
        while (Fill());
        return null;
    }

    public void Dispose()
    {
        _file.Dispose();
        Release();
    }

    /// <summary>Moves what the records hold together, over the words before it: it needs no other buffer.</summary>
    private LogChunk? Take(long sinceNanoseconds, bool many)
    {
        LogChunk? chunk = null;
        var (first, end) = (_start, _start);
        while ((many || chunk is null) && _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n') is >= 0 and var length)
        {
            var line = _buffer.AsSpan(_start, length);
            _start += length + 1;
            if (!LogRecord.TryParse(line, out var record) || record.UnixNanoseconds < sinceNanoseconds)
            {
                continue;
            }

            record.Content.CopyTo(_buffer.AsSpan(end));
            var size = record.Content.Length;
            if (!record.IsPartial)
            {
                _buffer[end + size++] = (byte)'\n';
            }

            end += size;
            chunk ??= new LogChunk();
            if (many)
            {
                chunk.StandardError.Add(record.IsError);
                chunk.TimesUnixNs.Add(record.UnixNanoseconds);
                chunk.Lengths.Add((uint)size);
            }
            else
            {
                (chunk.Stream, chunk.TimeUnixNs) = (record.IsError ? 2 : 1, record.UnixNanoseconds);
            }
        }

        if (chunk is not null)
        {
            chunk.Data = UnsafeByteOperations.UnsafeWrap(_buffer.AsMemory(first, end - first));
        }

        return chunk;
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(ReadSize, _buffer.Length * 2));
            _buffer.AsSpan(0, _end).CopyTo(larger);
            var end = _end;
            Release();
            (_buffer, _end) = (larger, end);
        }

        var read = RandomAccess.Read(_file, _buffer.AsSpan(_end), _position);
        if (read == 0 && RandomAccess.GetLength(_file) < _position)
        {
            // Somebody has emptied it; what is written from now on begins anew.
            (_position, _end) = (0, 0);
            read = RandomAccess.Read(_file, _buffer, 0);
        }

        _position += read;
        _end += read;
        if (_end == 0)
        {
            Release();
        }

        return read > 0;
    }

    private void Release()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        (_buffer, _start, _end) = ([], 0, 0);
    }
}
