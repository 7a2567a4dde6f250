using System.Buffers.Binary;

namespace Kip.Kubernetes.Streaming;

/// <summary>The eight bytes every frame begins with (SPDY 3.1, 2.2), and what can be in them.</summary>
internal static class SpdyFrame
{
    public const int HeaderSize = 8;
    public const ushort Version = 3;
    public const uint StreamIdMask = 0x7fffffff;

    public const ushort SynStream = 1;
    public const ushort SynReply = 2;
    public const ushort RstStream = 3;
    public const ushort Ping = 6;
    public const ushort GoAway = 7;
    public const ushort Headers = 8;

    public const byte FlagFin = 1;
    public const byte FlagUnidirectional = 2;

    private const uint ControlBit = 0x80000000;
    private const uint LengthMask = 0xffffff;
    private const int FlagsShift = 24;

    /// <summary>Writes the header of a control frame.</summary>
    public static void WriteControl(Span<byte> frame, ushort type, byte flags, int length)
    {
        BinaryPrimitives.WriteUInt32BigEndian(frame, ControlBit | ((uint)Version << 16) | type);
        BinaryPrimitives.WriteUInt32BigEndian(frame[4..], ((uint)flags << FlagsShift) | (uint)length);
    }

    /// <summary>Writes the header of a data frame.</summary>
    public static void WriteData(Span<byte> frame, uint streamId, byte flags, int length)
    {
        BinaryPrimitives.WriteUInt32BigEndian(frame, streamId);
        BinaryPrimitives.WriteUInt32BigEndian(frame[4..], ((uint)flags << FlagsShift) | (uint)length);
    }

    /// <summary>Reads a frame's header.</summary>
    public static Head Read(ReadOnlySpan<byte> frame)
    {
        var first = BinaryPrimitives.ReadUInt32BigEndian(frame);
        var second = BinaryPrimitives.ReadUInt32BigEndian(frame[4..]);
        return new Head(
            (first & ControlBit) != 0, first & StreamIdMask, (byte)(second >> FlagsShift), (int)(second & LengthMask));
    }

    /// <summary>A frame's header: <c>Word</c> is the stream of a data frame, version and type of a control frame.</summary>
    internal readonly record struct Head(bool IsControl, uint Word, byte Flags, int Length)
    {
        public ushort ControlVersion => (ushort)(Word >> 16);

        public ushort Type => (ushort)Word;

        public bool Fin => (Flags & FlagFin) != 0;
    }
}
