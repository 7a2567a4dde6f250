namespace Kip.Drivers.Local.Networking;

/// <summary>Hands out the addresses of a range: the first is the gateway's, the last is the broadcast address, the rest are the cells'.</summary>
internal static class AddressPool
{
    /// <summary>
    /// Two free addresses, for a cell and for its pod. The search starts at a place that depends on <paramref name="seed"/>, so that a
    /// new cell does not inherit the address of one that has just ended, with whatever still talks to it.
    /// </summary>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.OutOfCapacity"/> when no two are free.</exception>
    public static (string Cell, string Pod) Allocate(Ipv4Range range, IReadOnlySet<string> taken, uint seed)
    {
        var first = range.First + 2;
        var count = range.Last - first;
        var free = new List<string>(2);
        for (uint step = 0; step < count; step++)
        {
            var candidate = Ipv4Range.ToText(first + (uint)(((ulong)seed + step) % count));
            if (taken.Contains(candidate))
            {
                continue;
            }

            free.Add(candidate);
            if (free.Count == 2)
            {
                return (free[0], free[1]);
            }
        }

        throw new DriverException(
            DriverErrorKind.OutOfCapacity, $"all addresses of {range} are taken; end cells or give the local driver a larger Cidr");
    }
}
