using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace Kip.Kubernetes;

/// <summary>
/// Gives plain YAML scalars the types that kubectl gives them (sigs.k8s.io/yaml on go-yaml v2, so YAML 1.1):
/// yes/no/on/off are booleans, 0644 is octal, 1_000 is a number, dates stay strings.
/// </summary>
internal static partial class YamlScalars
{
    /// <summary>The kind of a plain scalar and its JSON text.</summary>
    public static (ScalarKind Kind, string Text) Resolve(string plain)
    {
        switch (plain)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return (ScalarKind.Null, "null");
            case "y" or "Y" or "yes" or "Yes" or "YES" or "true" or "True" or "TRUE" or "on" or "On" or "ON":
                return (ScalarKind.Boolean, "true");
            case "n" or "N" or "no" or "No" or "NO" or "false" or "False" or "FALSE" or "off" or "Off" or "OFF":
                return (ScalarKind.Boolean, "false");
        }

        if (!(char.IsAsciiDigit(plain[0]) || plain[0] is '+' or '-' or '.'))
        {
            return (ScalarKind.String, plain);
        }

        var number = plain.Replace("_", "", StringComparison.Ordinal);
        if (TryReadInteger(number, out var integer))
        {
            return (ScalarKind.Integer, integer.ToString(CultureInfo.InvariantCulture));
        }

        if (FloatPattern().IsMatch(number)
            && double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture) is var value
            && double.IsFinite(value))
        {
            return (ScalarKind.Float, value.ToString("R", CultureInfo.InvariantCulture));
        }

        return (ScalarKind.String, plain);
    }

    /// <summary>Infinity and not-a-number, which JSON cannot say.</summary>
    public static bool IsNotFinite(string plain) => NotFinitePattern().IsMatch(plain);

    private static bool TryReadInteger(string text, out BigInteger value)
    {
        value = default;
        if (IntegerPattern().Match(text) is not { Success: true } match)
        {
            return false;
        }

        var magnitude = BigInteger.Zero;
        var (digits, numberBase) = match switch
        {
            _ when match.Groups["hex"] is { Success: true } hex => (hex.Value, 16),
            _ when match.Groups["binary"] is { Success: true } binary => (binary.Value, 2),
            _ when match.Groups["octal"] is { Success: true } octal => (octal.Value, 8),
            _ => (match.Groups["decimal"].Value, 10),
        };
        foreach (var digit in digits)
        {
            magnitude = (magnitude * numberBase) + (char.IsAsciiDigit(digit) ? digit - '0' : char.ToLowerInvariant(digit) - 'a' + 10);
        }

        value = text[0] == '-' ? -magnitude : magnitude;
        return true;
    }

    // The lengths bound the work that a manifest can ask for.
    [GeneratedRegex("^[-+]?(0[xX](?<hex>[0-9a-fA-F]{1,64})|0[bB](?<binary>[01]{1,64})|0[oO]?(?<octal>[0-7]{1,64})|(?<decimal>0|[1-9][0-9]{0,64}))$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex IntegerPattern();

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex FloatPattern();

    [GeneratedRegex(@"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex NotFinitePattern();
}
