using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Kip.Kubernetes;

/// <summary>
/// The name of an image in full, by the rules of the distribution project: <c>nginx</c> is
/// <c>docker.io/library/nginx:latest</c>.
/// </summary>
public sealed partial record ImageReference
{
    private const string DefaultDomain = "docker.io";
    private const string OldDefaultDomain = "index.docker.io";
    private const string OfficialPrefix = "library/";
    private const string DefaultTag = "latest";
    private const int MaxNameLength = 255;

    private ImageReference(string domain, string repository, string? tag, string? digest)
    {
        Domain = domain;
        Repository = repository;
        Tag = tag;
        Digest = digest;
    }

    /// <summary>The registry's host, with its port when one is named, such as <c>docker.io</c> or <c>localhost:5000</c>.</summary>
    public string Domain { get; }

    /// <summary>The path in the registry, such as <c>library/nginx</c>.</summary>
    public string Repository { get; }

    /// <summary>The tag; <c>latest</c> when neither tag nor digest is named, null when only a digest is.</summary>
    public string? Tag { get; }

    /// <summary>The digest, such as <c>sha256:…</c>, or null.</summary>
    public string? Digest { get; }

    /// <summary>Registry and path, without tag and digest.</summary>
    public string Name => $"{Domain}/{Repository}";

    /// <summary>Reads an image name.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is no image name; the message says why.</exception>
    public static ImageReference Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out var reference, out var problem) ? reference : throw new FormatException(problem);
    }

    /// <summary>Reads an image name; false, with what is wrong, when <paramref name="text"/> is none.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ImageReference? reference, out string problem)
    {
        reference = null;
        problem = "";
        var name = text ?? "";
        string? tag = null;
        string? digest = null;
        if (name.IndexOf('@', StringComparison.Ordinal) is >= 0 and var at)
        {
            (name, digest) = (name[..at], name[(at + 1)..]);
        }

        // A colon after the last slash starts a tag, one before it a port.
        if (name.LastIndexOf(':') is var colon && colon > name.LastIndexOf('/'))
        {
            (name, tag) = (name[..colon], name[(colon + 1)..]);
        }

        var (domain, repository) = Split(name);
        var complaint = Complaint(name, domain, repository, tag, digest);
        if (complaint is not null)
        {
            problem = $"image '{text}': {complaint}";
            return false;
        }

        reference = new ImageReference(domain, repository, tag ?? (digest is null ? DefaultTag : null), digest);
        return true;
    }

    /// <summary>The name in full, such as <c>docker.io/library/nginx:latest</c>.</summary>
    public override string ToString() =>
        Name + (Tag is null ? "" : $":{Tag}") + (Digest is null ? "" : $"@{Digest}");

    private static (string Domain, string Repository) Split(string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var first = slash < 0 ? "" : name[..slash];
        var isHost = first.AsSpan().ContainsAny('.', ':') || first == "localhost" || first.Any(char.IsAsciiLetterUpper);
        var (domain, repository) = isHost ? (first, name[(slash + 1)..]) : (DefaultDomain, name);
        if (domain == OldDefaultDomain)
        {
            domain = DefaultDomain;
        }

        return (domain, domain == DefaultDomain && repository.Length > 0 && !repository.Contains('/', StringComparison.Ordinal)
            ? OfficialPrefix + repository
            : repository);
    }

    private static string? Complaint(string name, string domain, string repository, string? tag, string? digest) => name switch
    {
        "" => "there is no name",
        _ when name.AsSpan().ContainsAny(' ', '\t', '\n') => "it contains white space",
        _ when domain.Length + repository.Length + 1 > MaxNameLength => $"the name is longer than {MaxNameLength} characters",
        _ when !DomainPattern().IsMatch(domain) => $"'{domain}' is no registry host",
        _ when IdentifierPattern().IsMatch(name) => "64 hexadecimal digits are an image id, not a name",
        _ when repository.Any(char.IsAsciiLetterUpper) => "the name must be lower case",
        _ when !RepositoryPattern().IsMatch(repository) =>
            "the name must be lower-case letters and digits, separated by '/', '.', '_', '__' or '-'",
        _ when tag is not null && !TagPattern().IsMatch(tag) =>
            $"'{tag}' is no tag: up to 128 letters, digits, '_', '.' and '-', not starting with '.' or '-'",
        _ when digest is not null && !DigestPattern().IsMatch(digest) =>
            $"'{digest}' is no digest such as sha256:… with 64 hexadecimal digits",
        _ => null,
    };

    [GeneratedRegex(@"\A([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(:[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex DomainPattern();

    [GeneratedRegex(@"\A[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex RepositoryPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex TagPattern();

    [GeneratedRegex(@"\A(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})\z", RegexOptions.CultureInvariant)]
    private static partial Regex DigestPattern();

    [GeneratedRegex(@"\A[0-9a-f]{64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex IdentifierPattern();
}
