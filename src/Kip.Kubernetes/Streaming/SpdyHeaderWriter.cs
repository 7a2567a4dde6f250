using System.Buffers.Binary;
using System.Text;

namespace Kip.Kubernetes.Streaming;

/// <summary>
/// Writes the header blocks of one direction of a connection. They are few and small, so they are stored in the zlib stream
/// uncompressed: that is as valid, and costs no compressor (256 KiB) per connection.
/// </summary>
internal sealed class SpdyHeaderWriter
{
    private const int MaxBlock = ushort.MaxValue;

    // Deflate with the largest window, and the preset dictionary named after it.
    private static ReadOnlySpan<byte> ZlibHeader => [0x78, 0xBB, 0xE3, 0xC6, 0xA7, 0xC2];

    // An empty stored block: a reader must hand out what it has.
    private static ReadOnlySpan<byte> SyncFlush => [0x00, 0x00, 0x00, 0xFF, 0xFF];

    private bool _started;

    /// <summary>Writes one block. Blocks must be sent in the order in which they are written.</summary>
    public byte[] Write(IReadOnlyDictionary<string, string> headers)
    {
        using var block = new MemoryStream();
        WriteNumber(block, headers.Count);
        foreach (var (name, value) in headers)
        {
#pragma warning disable CA1308 // Header names are lower case in SPDY.
            WriteText(block, name.ToLowerInvariant());
#pragma warning restore CA1308
            WriteText(block, value);
        }

        if (block.Length > MaxBlock)
        {
            throw new ArgumentException($"the headers take {block.Length} bytes; at most {MaxBlock} can be sent", nameof(headers));
        }

        using var output = new MemoryStream();
        if (!_started)
        {
            _started = true;
            output.Write(ZlibHeader);
        }

        Span<byte> stored = stackalloc byte[5];
        stored[0] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(stored[1..], (ushort)block.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(stored[3..], (ushort)~block.Length);
        output.Write(stored);
        output.Write(block.GetBuffer().AsSpan(0, (int)block.Length));
        output.Write(SyncFlush);
        return output.ToArray();
    }

    private static void WriteText(MemoryStream block, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        WriteNumber(block, bytes.Length);
        block.Write(bytes);
    }

    private static void WriteNumber(MemoryStream block, int number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        block.Write(bytes);
    }
}
