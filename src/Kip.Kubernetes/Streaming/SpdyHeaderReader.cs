using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Kip.Kubernetes.Streaming;

/// <summary>
/// Reads the header blocks of one direction of a connection, which are one zlib stream with a preset dictionary. .NET has no way
/// to set one, but an inflater that is given the dictionary as a stored block first knows as much.
/// </summary>
internal sealed class SpdyHeaderReader(int maxBytes) : IDisposable
{
    private const int ZlibHeaderSize = 6;
    private const int MaxHeaders = 128;
    private const byte HasDictionary = 0x20;

    private readonly Source _source = new();
    private DeflateStream? _inflater;

    /// <summary>Reads one block. Blocks must be read in the order in which they were sent, every one of them.</summary>
    /// <exception cref="SpdyException">The block is malformed or too large: the connection cannot be used any more.</exception>
    public Dictionary<string, string> Read(ReadOnlyMemory<byte> block)
    {
        try
        {
            return ReadBlock(Begin(block));
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
        {
            throw new SpdyException("the peer sent a header block that is malformed or cut", error);
        }
    }

    public void Dispose() => _inflater?.Dispose();

    private ReadOnlyMemory<byte> Begin(ReadOnlyMemory<byte> block)
    {
        if (_inflater is not null)
        {
            return block;
        }

        var header = block.Span;
        if (header.Length < ZlibHeaderSize
            || (header[1] & HasDictionary) == 0
            || BinaryPrimitives.ReadUInt32BigEndian(header[2..]) != SpdyDictionary.Id)
        {
            throw new InvalidDataException("no zlib header that names the dictionary of SPDY/3.1");
        }

        var dictionary = SpdyDictionary.Create();
        var stored = new byte[5 + dictionary.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(stored.AsSpan(1), (ushort)dictionary.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(stored.AsSpan(3), (ushort)~dictionary.Length);
        dictionary.CopyTo(stored, 5);
        _source.Block = stored;
        _inflater = new DeflateStream(_source, CompressionMode.Decompress);
        _inflater.ReadExactly(dictionary);
        return block[ZlibHeaderSize..];
    }

    private Dictionary<string, string> ReadBlock(ReadOnlyMemory<byte> block)
    {
        _source.Block = block;
        var left = maxBytes;
        var count = ReadNumber(MaxHeaders, "headers");
        var headers = new Dictionary<string, string>(count, StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < count; i++)
        {
            var name = ReadText(ref left);
            if (name.Length == 0 || !headers.TryAdd(name, ReadText(ref left).Replace("\0", ", ", StringComparison.Ordinal)))
            {
                throw new InvalidDataException("a header without a name, or twice the same one");
            }
        }

        Span<byte> rest = stackalloc byte[1];
        return _inflater!.Read(rest) == 0 ? headers : throw new InvalidDataException("bytes after the last header");
    }

    private string ReadText(ref int left)
    {
        var length = ReadNumber(left, "bytes of headers");
        left -= length;
        var bytes = new byte[length];
        _inflater!.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private int ReadNumber(int max, string what)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        _inflater!.ReadExactly(bytes);
        var number = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        return number <= max ? (int)number : throw new InvalidDataException($"{number} {what}, more than {max}");
    }

    /// <summary>Gives the inflater the block at hand and then nothing, which it takes for an end that is not final.</summary>
    private sealed class Source : Stream
    {
        public ReadOnlyMemory<byte> Block { get; set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var count = Math.Min(buffer.Length, Block.Length);
            Block.Span[..count].CopyTo(buffer);
            Block = Block[count..];
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
