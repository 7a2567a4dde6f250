using Google.Protobuf;
using Kip.Agents.Protocol;

namespace Kip.Agent.Logs;

/// <summary>Reads records from one log file as far as it goes, and further when it has grown.</summary>
internal sealed class LogLines : IDisposable
{
    private readonly FileStream _file;
    private byte[] _buffer = new byte[32 << 10];
    private int _start;
    private int _end;

    private LogLines(FileStream file) => _file = file;

    /// <summary>Opens a file; null when there is none.</summary>
    public static LogLines? TryOpen(string path, long offset)
    {
        try
        {
            var file = new FileStream(path, new FileStreamOptions { Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 0 });
            file.Seek(offset, SeekOrigin.Begin);
            return new LogLines(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The next record from this time on; null at the present end.</summary>
    public LogChunk? Next(long sinceNanoseconds)
    {
        while (true)
        {
            var newline = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                var line = _buffer.AsSpan(_start, newline);
                _start += newline + 1;
                if (LogRecord.TryParse(line, out var record) && record.UnixNanoseconds >= sinceNanoseconds)
                {
                    return ToChunk(record);
                }
            }
            else if (!Fill())
            {
                return null;
            }
        }
    }

    public void Dispose() => _file.Dispose();

    private static LogChunk ToChunk(LogRecord record)
    {
        var content = record.Content;
        var data = new byte[content.Length + (record.IsPartial ? 0 : 1)];
        content.CopyTo(data);
        if (!record.IsPartial)
        {
            data[^1] = (byte)'\n';
        }

        return new LogChunk
        {
            Stream = record.IsError ? 2 : 1,
            TimeUnixNs = record.UnixNanoseconds,
            Data = UnsafeByteOperations.UnsafeWrap(data),
        };
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
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var read = _file.Read(_buffer.AsSpan(_end));
        _end += read;
        return read > 0;
    }
}
