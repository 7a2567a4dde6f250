using System.Globalization;
using System.Numerics;

namespace Kip.Kubernetes;

/// <summary>Reads and writes the text form of a <see cref="Quantity"/>.</summary>
internal static class QuantityText
{
    private const int NanoDigits = 9;
    private const int MaxLength = 256;
    private const int MaxExaPower = 18;
    private const string DecimalSuffixes = "numkMGTPE";
    private const string BinaryPrefixes = "KMGTPE";

    private static readonly BigInteger MaxBinaryNanos = (BigInteger)long.MaxValue * Quantity.NanosPerUnit;

    /// <summary>Reads <paramref name="text"/>; the problem is null when it is a quantity.</summary>
    public static (Quantity Quantity, string? Problem) Parse(string text)
    {
        if (text.Length == 0)
        {
            return Fail(text, "it is empty");
        }

        if (text.Length > MaxLength)
        {
            return (default, $"quantity '{text[..20]}…': it is longer than {MaxLength} characters");
        }

        var rest = text.AsSpan();
        var negative = rest[0] == '-';
        if (rest[0] is '+' or '-')
        {
            rest = rest[1..];
        }

        var whole = LeadingDigits(rest);
        rest = rest[whole.Length..];
        var fraction = rest is ['.', ..] ? LeadingDigits(rest[1..]) : [];
        if (rest is ['.', ..])
        {
            rest = rest[(fraction.Length + 1)..];
        }

        if (whole.Length + fraction.Length == 0)
        {
            return Fail(text, "it does not start with a number");
        }

        if (!TryReadSuffix(rest, out var format, out var power))
        {
            return Fail(text, $"unknown suffix '{rest}'");
        }

        var digits = BigInteger.Parse($"{whole}{fraction}", NumberStyles.None, CultureInfo.InvariantCulture);
        if (digits.IsZero)
        {
            return (new Quantity(0, format), null);
        }

        BigInteger nanos;
        if (format == QuantityFormat.BinarySI)
        {
            nanos = BigInteger.Min(ScaleByTen(digits << power, NanoDigits - fraction.Length), MaxBinaryNanos);
            if (nanos < Quantity.NanosPerUnit)
            {
                format = QuantityFormat.DecimalSI;
            }
        }
        else
        {
            // Only powers that can matter are computed: 1e999999999 must not cost anything.
            var shift = (long)power + NanoDigits - fraction.Length;
            nanos = shift > 2 * MaxLength ? (BigInteger)Int128.MaxValue + 1
                : shift < -2 * MaxLength ? BigInteger.One
                : ScaleByTen(digits, (int)shift);
        }

        if (nanos > Int128.MaxValue)
        {
            return Fail(text, "it is too large");
        }

        var amount = (Int128)nanos;
        return (new Quantity(negative ? -amount : amount, format), null);
    }

    /// <summary>Writes the canonical form.</summary>
    public static string Format(Quantity quantity)
    {
        if (quantity.IsZero)
        {
            return "0";
        }

        return quantity.Format == QuantityFormat.BinarySI && FormatBinary(quantity.Nanos) is { } binary
            ? binary
            : FormatDecimal(quantity.Nanos, quantity.Format == QuantityFormat.DecimalExponent);
    }

    /// <summary>Null when binary suffixes cannot show the amount: below 1 Ki, or not whole.</summary>
    private static string? FormatBinary(Int128 nanos)
    {
        var (units, rest) = Int128.DivRem(nanos, Quantity.NanosPerUnit);
        if (rest != 0 || Int128.Abs(units) < 1024)
        {
            return null;
        }

        var power = 0;
        while (power < BinaryPrefixes.Length && units % 1024 == 0)
        {
            units /= 1024;
            power++;
        }

        var number = units.ToString(CultureInfo.InvariantCulture);
        return power == 0 ? number : $"{number}{BinaryPrefixes[power - 1]}i";
    }

    private static string FormatDecimal(Int128 nanos, bool asExponent)
    {
        var power = -NanoDigits;
        while (nanos % 1000 == 0)
        {
            nanos /= 1000;
            power += 3;
        }

        var number = nanos.ToString(CultureInfo.InvariantCulture);
        if (power == 0)
        {
            return number;
        }

        // There is no letter above E (10^18).
        return asExponent || power > MaxExaPower
            ? string.Create(CultureInfo.InvariantCulture, $"{number}e{power}")
            : $"{number}{DecimalSuffixes[power < 0 ? (power + NanoDigits) / 3 : (power / 3) + 2]}";
    }

    private static ReadOnlySpan<char> LeadingDigits(ReadOnlySpan<char> text)
    {
        var end = text.IndexOfAnyExceptInRange('0', '9');
        return end < 0 ? text : text[..end];
    }

    /// <summary>The power is of two for binary suffixes, of ten for the others.</summary>
    private static bool TryReadSuffix(ReadOnlySpan<char> suffix, out QuantityFormat format, out int power)
    {
        format = QuantityFormat.DecimalSI;
        power = 0;
        switch (suffix)
        {
            case []:
                return true;
            case [var letter] when DecimalSuffixes.IndexOf(letter, StringComparison.Ordinal) is >= 0 and var index:
                power = index < 3 ? (index - 3) * 3 : (index - 2) * 3;
                return true;
            case [var prefix, 'i'] when BinaryPrefixes.IndexOf(prefix, StringComparison.Ordinal) is >= 0 and var index:
                format = QuantityFormat.BinarySI;
                power = (index + 1) * 10;
                return true;
            case ['e' or 'E', _, ..]:
                format = QuantityFormat.DecimalExponent;
                return int.TryParse(suffix[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out power);
            default:
                return false;
        }
    }

    /// <summary>Multiplies by a power of ten; what falls below one rounds up, so that a little is never nothing.</summary>
    private static BigInteger ScaleByTen(BigInteger value, int power)
    {
        if (power >= 0)
        {
            return value * BigInteger.Pow(10, power);
        }

        var quotient = BigInteger.DivRem(value, BigInteger.Pow(10, -power), out var rest);
        return rest.IsZero ? quotient : quotient + 1;
    }

    private static (Quantity, string?) Fail(string text, string problem) => (default, $"quantity '{text}': {problem}");
}
