using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>What is left of the memory that a cloud sells.</summary>
public static class MemorySizes
{
    private const long FixedReserve = 128L << 20;
    private const int ReserveFraction = 16;

    /// <summary>
    /// Memory in bytes that Linux has on an instance type: what was measured, or else the nominal memory less 128 MiB and a sixteenth.
    /// Of 1,092 EC2 types that were measured (vantage-sh/ec2instances.info, 2026-07) only those with media cards have less than that.
    /// </summary>
    public static long Usable(InstanceType type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return type.UsableMemoryBytes ?? Estimate(type.MemoryBytes);
    }

    internal static long Estimate(long nominalBytes) => Math.Max(0, nominalBytes - FixedReserve - (nominalBytes / ReserveFraction));

    /// <summary>The least multiple of a step of which so much is usable by the estimate. All in bytes.</summary>
    internal static long Nominal(long usableBytes, long stepBytes)
    {
        if (usableBytes <= 0)
        {
            return 0;
        }

        var guess = ((Int128)usableBytes + FixedReserve) * ReserveFraction / (ReserveFraction - 1) / stepBytes;
        var nominal = (long)Int128.Clamp(guess, 1, (long.MaxValue / stepBytes) - 2) * stepBytes;
        while (Estimate(nominal) < usableBytes && nominal <= long.MaxValue - stepBytes)
        {
            nominal += stepBytes;
        }

        return nominal;
    }
}
