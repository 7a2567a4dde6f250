using System.Globalization;

namespace Kip.Grpc.Wire;

/// <summary>The <c>grpc-timeout</c> header: at most eight digits and a unit.</summary>
internal static class TimeoutHeader
{
    private const long MaxValue = 99_999_999;
    private const long NanosecondsPerTick = 100;

    private static readonly (char Unit, long Ticks)[] CoarserUnits =
    [
        ('u', TimeSpan.TicksPerMicrosecond),
        ('m', TimeSpan.TicksPerMillisecond),
        ('S', TimeSpan.TicksPerSecond),
        ('M', TimeSpan.TicksPerMinute),
        ('H', TimeSpan.TicksPerHour),
    ];

    /// <summary>Writes a positive duration in the finest unit it fits in, rounded up so that the server never gives up first.</summary>
    public static string Format(TimeSpan timeout)
    {
        if (timeout.Ticks <= MaxValue / NanosecondsPerTick)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{timeout.Ticks * NanosecondsPerTick}n");
        }

        foreach ((char unit, long ticks) in CoarserUnits)
        {
            long value = (timeout.Ticks / ticks) + (timeout.Ticks % ticks == 0 ? 0 : 1);
            if (value <= MaxValue)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{value}{unit}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{MaxValue}H");
    }

    /// <summary>Reads the header; nanoseconds below a tick round up.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9
            || !long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long value))
        {
            return false;
        }

        if (text[^1] == 'n')
        {
            timeout = TimeSpan.FromTicks((value + NanosecondsPerTick - 1) / NanosecondsPerTick);
            return true;
        }

        foreach ((char unit, long ticks) in CoarserUnits)
        {
            if (unit == text[^1])
            {
                timeout = TimeSpan.FromTicks(value * ticks);
                return true;
            }
        }

        return false;
    }

    /// <summary>The longest time a timer can wait; longer timeouts travel in full and are enforced after this one.</summary>
    public static TimeSpan ClampToTimer(TimeSpan timeout)
    {
        var max = TimeSpan.FromMilliseconds(uint.MaxValue - 1);
        return timeout < max ? timeout : max;
    }
}
