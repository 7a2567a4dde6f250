using System.Globalization;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Kip.Drivers.Local.Networking;

/// <summary>What this machine already uses IPv4 addresses for.</summary>
internal static class HostRoutes
{
    /// <summary>Routes of the main table, the default route excepted.</summary>
    public static IEnumerable<(string Interface, Ipv4Range Range)> Read() =>
        Table().Where(route => route.Range.PrefixLength > 0);

    /// <summary>Interface of the default route, or null.</summary>
    public static string? DefaultInterface() =>
        Table().Where(route => route.Range.PrefixLength == 0).Select(route => route.Interface).FirstOrDefault();

    /// <summary>What overlaps a range, in words, or null. One interface is left out of it: it may be appearing just now.</summary>
    public static string? FindOverlap(Ipv4Range range, string except)
    {
        foreach (var route in Read().Where(route => route.Interface != except && route.Range.Overlaps(range)))
        {
            return $"the route {route.Range} of interface {route.Interface}";
        }

        foreach (var card in Interfaces().Where(card => card.Name != except))
        {
            foreach (var own in card.GetIPProperties().UnicastAddresses)
            {
                if (own.Address.AddressFamily == AddressFamily.InterNetwork && range.Contains(Ipv4Range.ToNumber(own.Address)))
                {
                    return $"the address {own.Address} of interface {card.Name}";
                }
            }
        }

        return null;
    }

    // The framework reads the kernel's list in several calls and fails when an interface comes or goes in between.
    private static NetworkInterface[] Interfaces()
    {
        const int attempts = 20;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return NetworkInterface.GetAllNetworkInterfaces();
            }
            catch (Exception exception) when (exception is ArgumentException or NetworkInformationException && attempt < attempts)
            {
                // Other cells come and go: the next list is another one.
            }
        }
    }

    // /proc/net/route: "Iface Destination Gateway Flags RefCnt Use Metric Mask ...", numbers in hexadecimal, network order as the CPU reads it.
    private static IEnumerable<(string Interface, Ipv4Range Range)> Table()
    {
        foreach (var line in File.ReadLines("/proc/net/route").Skip(1))
        {
            var fields = line.Split('\t', StringSplitOptions.TrimEntries);
            if (fields.Length > 7)
            {
                var mask = Number(fields[7]);
                yield return (fields[0], new Ipv4Range(Number(fields[1]) & mask, int.CreateChecked(uint.PopCount(mask))));
            }
        }
    }

    private static uint Number(string hexadecimal)
    {
        var number = uint.Parse(hexadecimal, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(number) : number;
    }
}
