using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Networking;

/// <summary>
/// The bridge that the cells of one state directory hang on, with its address, and the nftables table that lets them reach the world.
/// Its hardware address says whose it is: it is set in the call that makes the bridge and derived from the state directory.
/// </summary>
/// <remarks>Callers hold the state directory's lock around <see cref="EnsureAsync"/> and <see cref="RemoveAsync"/>.</remarks>
internal sealed class Bridge
{
    // Locally administered; "KI". Three bytes of a hash follow.
    private const string HardwareAddressPrefix = "02:4b:49:";
    private const string Devices = "/sys/class/net";

    private readonly string _name;
    private readonly Ipv4Range _range;
    private readonly string _hardwareAddress;
    private readonly TimeProvider _timeProvider;
    private readonly IpForwarding _forwarding;

    public Bridge(string name, Ipv4Range range, string stateDirectory, TimeProvider timeProvider)
    {
        _name = name;
        _range = range;
        _timeProvider = timeProvider;
        _forwarding = new IpForwarding(timeProvider);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(stateDirectory));
        _hardwareAddress = string.Create(CultureInfo.InvariantCulture, $"{HardwareAddressPrefix}{hash[0]:x2}:{hash[1]:x2}:{hash[2]:x2}");
    }

    public string Gateway => Ipv4Range.ToText(_range.First + 1);

    /// <summary>Whether some local driver, not necessarily this one, has a bridge on this machine.</summary>
    public static bool AnyOnThisMachine() => Directory.EnumerateDirectories(Devices)
        .Any(device => Directory.Exists(Path.Combine(device, "bridge"))
            && Read(device, "address")?.StartsWith(HardwareAddressPrefix, StringComparison.Ordinal) == true);

    /// <summary>What stands in the way of the bridge, and which option to change; null when nothing does.</summary>
    public (string Problem, string Remedy)? FindConflict()
    {
        if (!Exists())
        {
            return HostRoutes.FindOverlap(_range, except: _name) is { } taken
                ? ($"the address range {_range} overlaps {taken}", "give the local driver another Cidr")
                : null;
        }

        if (!IsOurs())
        {
            return ($"the name {_name} is taken by a network interface that does not belong to this state directory",
                "give the local driver another Bridge, or remove that interface");
        }

        foreach (var route in HostRoutes.Read().Where(route => route.Interface == _name && route.Range != _range))
        {
            return ($"the bridge {_name} serves cells in {route.Range}, not in {_range}",
                "end these cells, or give the local driver another Bridge or that Cidr");
        }

        return null;
    }

    /// <summary>Makes the bridge unless it is there.</summary>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.InvalidConfiguration"/> when its name or addresses are taken.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (FindConflict() is var (problem, remedy))
        {
            throw new DriverException(DriverErrorKind.InvalidConfiguration, $"{problem}; {remedy}");
        }

        // The route comes with the address, last of all: where it is, everything is.
        if (Exists() && HostRoutes.Read().Any(route => route.Interface == _name && route.Range == _range))
        {
            return;
        }

        var masquerading = Command.RunAsync(
            "nft",
            ["-f", "-"],
            $$"""
            table ip {{_name}}
            delete table ip {{_name}}
            table ip {{_name}} {
                chain postrouting {
                    type nat hook postrouting priority srcnat
                    ip saddr {{_range}} ip daddr != {{_range}} masquerade
                }
            }

            """,
            _timeProvider,
            cancellationToken);
        var create = Exists() ? "" : $"link add name {_name} address {_hardwareAddress} type bridge\n";
        var device = Command.RunAsync(
            "ip",
            ["-batch", "-"],
            $"{create}link set dev {_name} up\naddr replace {Gateway}/{_range.PrefixLength} dev {_name}\n",
            _timeProvider,
            cancellationToken);
        await Task.WhenAll(masquerading, device, _forwarding.EnableAsync(cancellationToken));
    }

    /// <summary>Removes the bridge and all that was set up for it, if it is this state directory's.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        if (Exists())
        {
            if (!IsOurs())
            {
                return;
            }

            await Command.RunAsync("ip", ["link", "delete", "dev", _name], "", _timeProvider, cancellationToken);
        }

        // Declaring the table first makes deleting it right also when it is gone already.
        await Task.WhenAll(
            Command.RunAsync("nft", ["-f", "-"], $"table ip {_name}\ndelete table ip {_name}\n", _timeProvider, cancellationToken),
            _forwarding.RestoreAsync(cancellationToken));
    }

    /// <summary>Makes the link of one cell; its inner end appears as eth0 in the network namespace of <paramref name="init"/>.</summary>
    public Task ConnectAsync(string link, int init, string address, CancellationToken cancellationToken)
    {
        var number = Ipv4Range.TryParse(address + "/32")!.Value.First;
        // From the address, so that the same address always has the same hardware address and no neighbour table goes stale.
        var inner = string.Create(
            CultureInfo.InvariantCulture, $"02:4b:{number >> 24:x2}:{(number >> 16) & 255:x2}:{(number >> 8) & 255:x2}:{number & 255:x2}");
        var mtu = Mtu();
        return Command.RunAsync(
            "ip",
            ["-batch", "-"],
            string.Create(
                CultureInfo.InvariantCulture,
                $"link add name {link} mtu {mtu} type veth peer name eth0 address {inner} mtu {mtu} netns {init}\nlink set dev {link} master {_name} up\n"),
            _timeProvider,
            cancellationToken);
    }

    /// <summary>Removes the link of one cell if it is still there.</summary>
    public async Task DisconnectAsync(string link, CancellationToken cancellationToken)
    {
        var device = Path.Combine(Devices, link);
        if (!Directory.Exists(device))
        {
            return;
        }

        try
        {
            await Command.RunAsync("ip", ["link", "delete", "dev", link], "", _timeProvider, cancellationToken);
        }
        catch (DriverException) when (!Directory.Exists(device))
        {
            // The kernel removed it with the cell's network namespace.
        }
    }

    // Cells reach the world through the default route's interface: a larger packet than it takes would not get through.
    private static int Mtu() =>
        HostRoutes.DefaultInterface() is { } uplink
        && int.TryParse(Read(Path.Combine(Devices, uplink), "mtu"), NumberStyles.None, CultureInfo.InvariantCulture, out var mtu)
            ? Math.Min(mtu, 1500)
            : 1500;

    private static string? Read(string device, string attribute)
    {
        try
        {
            return File.ReadAllText(Path.Combine(device, attribute)).Trim();
        }
        catch (IOException)
        {
            // The interface went away, or has no such attribute.
            return null;
        }
    }

    private bool Exists() => Directory.Exists(Path.Combine(Devices, _name));

    private bool IsOurs() =>
        Directory.Exists(Path.Combine(Devices, _name, "bridge")) && Read(Path.Combine(Devices, _name), "address") == _hardwareAddress;
}
