using System.Buffers;
using System.Globalization;

namespace Kip.Kubernetes;

/// <summary>Values as programs written in Go take them on the command line and in Kubernetes objects.</summary>
public static class GoFormat
{
    // Times the ticks of an hour it is still below 2^96, the largest decimal.
    private const decimal LargestNumber = 1e18m;

    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    /// <summary>Reads a boolean as <c>strconv.ParseBool</c> does: 1, t, T, true, True, TRUE and 0, f, F, false, False, FALSE.</summary>
    public static bool TryParseBool(string? text, out bool value)
    {
        value = text is "1" or "t" or "T" or "true" or "True" or "TRUE";
        return value || text is "0" or "f" or "F" or "false" or "False" or "FALSE";
    }

    /// <summary>
    /// Reads a duration as <c>time.ParseDuration</c> does: numbers with units, such as 1h30m, 1.5s or -2ms; a bare 0 is one too. What is
    /// less than 100 ns is dropped.
    /// </summary>
    public static bool TryParseDuration(string? text, out TimeSpan value)
    {
        value = TimeSpan.Zero;
        var rest = text.AsSpan();
        var negative = rest is ['-', ..];
        if (rest is ['-' or '+', ..])
        {
            rest = rest[1..];
        }

        if (rest is "0")
        {
            return true;
        }

        if (rest.IsEmpty)
        {
            return false;
        }

        var ticks = 0m;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept(NumberCharacters);
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) || number > LargestNumber)
            {
                return false;
            }

            rest = rest[digits..];
            var end = rest.IndexOfAny(NumberCharacters);
            var unit = end < 0 ? rest : rest[..end];
            decimal? each = unit switch
            {
                "ns" => 0.01m,
                "us" or "µs" or "μs" => TimeSpan.TicksPerMicrosecond,
                "ms" => TimeSpan.TicksPerMillisecond,
                "s" => TimeSpan.TicksPerSecond,
                "m" => TimeSpan.TicksPerMinute,
                "h" => TimeSpan.TicksPerHour,
                _ => null,
            };
            if (each is null)
            {
                return false;
            }

            ticks += number * each.Value;
            if (ticks > TimeSpan.MaxValue.Ticks)
            {
                return false;
            }

            rest = rest[unit.Length..];
        }

        value = new TimeSpan((long)(negative ? -ticks : ticks));
        return true;
    }
}
