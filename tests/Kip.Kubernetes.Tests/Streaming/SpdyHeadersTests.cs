using System.Buffers.Binary;
using Kip.Kubernetes.Streaming;

namespace Kip.Kubernetes.Tests;

public sealed class SpdyHeadersTests
{
    private const int MaxBytes = 32 * 1024;

    // Made by zlib itself with the preset dictionary: three blocks of one stream.
    private static readonly string[] ZlibBlocks =
    [
        "78f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45e01c6061606100a4398b20d198094ade8c0600000000ffff",
        "c2aa19540e2512d60b000000ffff",
        "02120c00000000ffff",
    ];

    [Fact]
    public void Read_BlocksOfZlib_GivesTheHeaders()
    {
        using var reader = new SpdyHeaderReader(MaxBytes);

        var first = reader.Read(Convert.FromHexString(ZlibBlocks[0]));
        var second = reader.Read(Convert.FromHexString(ZlibBlocks[1]));
        var third = reader.Read(Convert.FromHexString(ZlibBlocks[2]));

        Assert.Equal("error", first["streamType"]);
        Assert.Equal("8080", first["PORT"]);
        Assert.Equal("data", second["streamtype"]);
        Assert.Equal("0", second["requestid"]);
        Assert.Empty(third);
    }

    [Fact]
    public void Read_WhatWasWritten_IsTheSame()
    {
        var writer = new SpdyHeaderWriter();
        using var reader = new SpdyHeaderReader(MaxBytes);
        for (var i = 0; i < 100; i++)
        {
            var headers = Enumerable.Range(0, i % 7).ToDictionary(n => $"name-{n}", n => new string('x', n * i));

            Assert.Equal(headers.AsEnumerable(), reader.Read(writer.Write(headers)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("789c0000")]
    [InlineData("78f9e3c6a7c3010000ffff")]
    [InlineData("78f9e3c6a7c2ffffffff")]
    [InlineData("78f9e3c6a7c202253a70")]
    public void Read_Malformed_Throws(string block)
    {
        using var reader = new SpdyHeaderReader(MaxBytes);

        Assert.Throws<SpdyException>(() => reader.Read(Convert.FromHexString(block)));
    }

    [Theory]
    [InlineData(1000, 1, 1)]
    [InlineData(1, int.MaxValue, 1)]
    [InlineData(1, 0, 1)]
    [InlineData(2, 1, 20000)]
    [InlineData(1, 1, -5)]
    public void Read_TooMuch_Throws(int count, int nameLength, int valueLength)
    {
        using var reader = new SpdyHeaderReader(MaxBytes);

        Assert.Throws<SpdyException>(() => reader.Read(Stored(count, nameLength, valueLength)));
    }

    [Fact]
    public void Write_MoreThanABlockHolds_Throws()
    {
        Assert.Throws<ArgumentException>(
            () => new SpdyHeaderWriter().Write(new Dictionary<string, string> { ["a"] = new('x', 70_000) }));
    }

    private static byte[] Stored(int count, int nameLength, int valueLength)
    {
        using var content = new MemoryStream();
        Number(content, count);
        for (var i = 0; i < Math.Min(count, 3); i++)
        {
            Number(content, nameLength);
            content.Write(Enumerable.Repeat((byte)('a' + i), Math.Clamp(nameLength, 0, 10)).ToArray());
            Number(content, valueLength);
            content.Write(new byte[Math.Clamp(valueLength, 0, 30_000)]);
        }

        var bytes = content.ToArray();
        var length = new byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)bytes.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(length.AsSpan(2), (ushort)~bytes.Length);
        return [0x78, 0xBB, 0xE3, 0xC6, 0xA7, 0xC2, 0, .. length, .. bytes, 0, 0, 0, 0xff, 0xff];
    }

    private static void Number(MemoryStream content, int number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        content.Write(bytes);
    }
}
