using System.Text.RegularExpressions;

namespace Kip.Kubernetes;

/// <summary>The kinds of names Kubernetes knows. Each check gives what is wrong, or null.</summary>
public static partial class Names
{
    private const int MaxLabel = 63;
    private const int MaxSubdomain = 253;
    private const int MaxPortName = 15;

    /// <summary>A lower-case RFC 1123 label of at most 63 characters: namespaces, containers, services.</summary>
    public static string? DnsLabel(string name) =>
        name.Length > MaxLabel ? $"must be no more than {MaxLabel} characters"
        : LabelPattern().IsMatch(name) ? null
        : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";

    /// <summary>Lower-case labels joined by dots, at most 253 characters: pods, nodes.</summary>
    public static string? DnsSubdomain(string name) =>
        name.Length > MaxSubdomain ? $"must be no more than {MaxSubdomain} characters"
        : SubdomainPattern().IsMatch(name) ? null
        : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";

    /// <summary>Keys of labels, annotations and resources: a name, optionally after a DNS prefix and a slash.</summary>
    public static string? QualifiedName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var prefix = slash < 0 ? null : name[..slash];
        var last = name[(slash + 1)..];
        return prefix is not null && DnsSubdomain(prefix) is { } problem ? $"prefix part {problem}"
            : last.Length > MaxLabel ? $"name part must be no more than {MaxLabel} characters"
            : QualifiedPattern().IsMatch(last) ? null
            : "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    }

    /// <summary>The value of a label: empty, or at most 63 characters.</summary>
    public static string? LabelValue(string value) =>
        value.Length > MaxLabel ? $"must be no more than {MaxLabel} characters"
        : value.Length == 0 || QualifiedPattern().IsMatch(value) ? null
        : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

    /// <summary>The name of a port, at most 15 characters.</summary>
    public static string? PortName(string name) =>
        name.Length > MaxPortName ? $"must be no more than {MaxPortName} characters"
        : PortNamePattern().IsMatch(name) && name.Any(char.IsAsciiLetterLower) && !name.Contains("--", StringComparison.Ordinal) ? null
        : "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), at least one letter, no two hyphens in a row and none at the ends";

    /// <summary>The name of an environment variable.</summary>
    public static string? EnvVar(string name) =>
        name.All(c => c is >= ' ' and <= '~' and not '=') ? null
        : "a valid environment variable name must consist only of printable ASCII characters other than '='";

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex LabelPattern();

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex SubdomainPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex QualifiedPattern();

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex PortNamePattern();
}
