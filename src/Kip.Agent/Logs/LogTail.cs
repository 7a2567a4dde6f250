using Microsoft.Win32.SafeHandles;

namespace Kip.Agent.Logs;

/// <summary>Finds where the last lines of a log begin, reading backwards in blocks so that only the end of a long log is touched.</summary>
internal static class LogTail
{
    private const int BlockSize = 64 << 10;
    private const int HeaderSize = 64;

    /// <summary>Finds the place.</summary>
    /// <param name="files">The log's files, oldest first.</param>
    /// <param name="lines">How many lines, 0 or more.</param>
    /// <returns>The file and the offset in it from which on exactly these lines (or all, if there are fewer) are to be read.</returns>
    public static (int File, long Offset) Find(IReadOnlyList<string> files, long lines)
    {
        var counter = new Counter(lines);
        for (var index = files.Count - 1; index >= 0; index--)
        {
            SafeFileHandle file;
            try
            {
                file = File.OpenHandle(files[index], share: FileShare.ReadWrite | FileShare.Delete);
            }
            catch (FileNotFoundException)
            {
                // Rotation removed it meanwhile, and with it everything older.
                return (Math.Min(index + 1, files.Count - 1), 0);
            }

            using (file)
            {
                if (FindIn(file, ref counter) is { } offset)
                {
                    return (index, offset);
                }
            }
        }

        return (0, 0);
    }

    private static long? FindIn(SafeFileHandle file, ref Counter counter)
    {
        var buffer = new byte[BlockSize];
        var length = RandomAccess.GetLength(file);
        // The end of the record that is being looked for the start of; -1 before the last newline of the file was seen.
        var recordEnd = -1L;
        for (var blockEnd = length; blockEnd > 0;)
        {
            var blockStart = Math.Max(0, blockEnd - BlockSize);
            var block = buffer.AsSpan(0, (int)(blockEnd - blockStart));
            var read = RandomAccess.Read(file, block, blockStart);
            block = block[..read];
            for (var newline = block.LastIndexOf((byte)'\n'); newline >= 0; newline = block[..newline].LastIndexOf((byte)'\n'))
            {
                var end = blockStart + newline + 1;
                if (recordEnd >= 0 && counter.IsPast(IsPartial(file, end)))
                {
                    return recordEnd;
                }

                recordEnd = end;
                if (counter.IsFull)
                {
                    return end;
                }
            }

            blockEnd = blockStart;
        }

        return recordEnd >= 0 && counter.IsPast(IsPartial(file, 0)) ? recordEnd : null;
    }

    private static bool IsPartial(SafeFileHandle file, long start)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        var read = RandomAccess.Read(file, header, start);
        return LogRecord.TryParse(header[..read], out var record) && record.IsPartial;
    }

    /// <summary>Counts whole lines while records come by from the last to the first.</summary>
    private struct Counter(long lines)
    {
        private long _left = lines;
        private bool _any;

        /// <summary>No line is wanted at all.</summary>
        public readonly bool IsFull => _left == 0 && !_any;

        /// <summary>Takes the next record; true when it belongs to a line that is one too many.</summary>
        public bool IsPast(bool partial)
        {
            // A partial record at the very end is a line of its own that is not finished yet.
            if (!partial || !_any)
            {
                if (_left == 0)
                {
                    return true;
                }

                _left--;
            }

            _any = true;
            return false;
        }
    }
}
