using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Kip.Drivers.Local.Networking;

/// <summary>A block of IPv4 addresses in CIDR notation.</summary>
internal readonly record struct Ipv4Range(uint First, int PrefixLength)
{
    public uint Last => First | ~Mask(PrefixLength);

    public static Ipv4Range? TryParse(string text)
    {
        var halves = text.Split('/');
        return halves.Length == 2
            && halves[0].Split('.').Length == 4
            && IPAddress.TryParse(halves[0], out var address) && address.AddressFamily == AddressFamily.InterNetwork
            && int.TryParse(halves[1], NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= 32
                ? new Ipv4Range(ToNumber(address) & Mask(length), length)
                : null;
    }

    public static uint Mask(int prefixLength) => prefixLength == 0 ? 0 : uint.MaxValue << (32 - prefixLength);

    public static uint ToNumber(IPAddress address) => BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    public static string ToText(uint address) =>
        string.Create(CultureInfo.InvariantCulture, $"{address >> 24}.{(address >> 16) & 255}.{(address >> 8) & 255}.{address & 255}");

    public bool Overlaps(Ipv4Range other) => First <= other.Last && other.First <= Last;

    public bool Contains(uint address) => address >= First && address <= Last;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{ToText(First)}/{PrefixLength}");
}
