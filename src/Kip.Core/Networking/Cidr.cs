using System.Globalization;
using System.Net;

namespace Kip.Networking;

/// <summary>Ranges of addresses as Go programs read them: the bits behind the prefix may be set, and do not count.</summary>
public static class Cidr
{
    /// <summary>Reads a range such as <c>10.0.0.0/8</c>, or <c>10.1.2.3/8</c>, which is the same.</summary>
    public static bool TryParse(string? text, out IPNetwork network)
    {
        network = default;
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (slash < 0
            || !IsPlain(text![..slash]) || !IPAddress.TryParse(text[..slash], out var address)
            || !byte.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var length))
        {
            return false;
        }

        var bytes = address.GetAddressBytes();
        if (length > bytes.Length * 8)
        {
            return false;
        }

        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] &= (byte)~(0xFF >> Math.Clamp(length - (i * 8), 0, 8));
        }

        network = new IPNetwork(new IPAddress(bytes), length);
        return true;
    }

    // .NET also takes 10.1 and 0x0a000001 for addresses, and scopes and brackets around those of version 6.
    private static bool IsPlain(string address) =>
        address.Contains(':', StringComparison.Ordinal)
            ? address.All(static c => char.IsAsciiHexDigit(c) || c is ':' or '.')
            : address.Count(static c => c == '.') == 3 && address.All(static c => char.IsAsciiDigit(c) || c == '.');
}
