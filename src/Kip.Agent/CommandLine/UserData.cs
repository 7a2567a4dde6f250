using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Kip.Agent.CommandLine;

/// <summary>How the cell reaches one registry.</summary>
internal sealed record Registry(string Host, IReadOnlyList<Uri> Mirrors, bool InsecureSkipVerify);

/// <summary>
/// What the controller wrote into the instance's user data. Read by hand, so that a mistake is named by its member; members that this
/// version does not know are ignored, so that the controller may be newer.
/// </summary>
internal sealed record UserData
{
    public required string CellId { get; init; }

    /// <summary>The only authority whose client certificates are let in.</summary>
    public required X509Certificate2 ControllerCa { get; init; }

    /// <summary>The key of the enrolment proof.</summary>
    public required byte[] EnrolmentToken { get; init; }

    public required int Port { get; init; }

    public required IReadOnlyList<Registry> Registries { get; init; }

    /// <summary>The metadata service that knows whether the cloud takes the machine back; null when there is none.</summary>
    public Uri? InterruptionNotices { get; init; }

    /// <summary>Reads the file.</summary>
    /// <exception cref="UsageException">The file cannot be read, or a member is missing or wrong.</exception>
    public static UserData Read(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"user data {path}: {e.Message}");
        }

        try
        {
            return Parse(bytes);
        }
        catch (UsageException e)
        {
            throw new UsageException($"user data {path}: {e.Message}");
        }
    }

    /// <summary>Reads the JSON text.</summary>
    /// <exception cref="UsageException">It is not JSON, or a member is missing or wrong; the message names the member.</exception>
    public static UserData Parse(ReadOnlyMemory<byte> json)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException e)
        {
            throw new UsageException($"not JSON: {e.Message}");
        }

        using (document)
        {
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw new UsageException("not a JSON object");
            }

            return new UserData
            {
                CellId = RequiredString(root, "cellId", ""),
                ControllerCa = Certificate(root),
                EnrolmentToken = Token(root),
                Port = PortNumber(root),
                Registries = RegistryList(root),
                InterruptionNotices = HttpAddress(root, "interruptionNotices"),
            };
        }
    }

    private static string RequiredString(JsonElement parent, string name, string prefix) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
            ? text
            : throw new UsageException($"{prefix}{name}: a non-empty string is required");

    private static X509Certificate2 Certificate(JsonElement root)
    {
        try
        {
            return X509Certificate2.CreateFromPem(RequiredString(root, "controllerCa", ""));
        }
        catch (CryptographicException)
        {
            throw new UsageException("controllerCa: not a certificate in PEM");
        }
    }

    private static byte[] Token(JsonElement root)
    {
        var text = RequiredString(root, "enrolmentToken", "");
        var bytes = new byte[text.Length];
        // The text itself is a secret: the message must not repeat it.
        return Convert.TryFromBase64String(text, bytes, out var length) && length >= 16
            ? bytes[..length]
            : throw new UsageException("enrolmentToken: not the base64 of at least 16 bytes");
    }

    private static int PortNumber(JsonElement root)
    {
        if (!root.TryGetProperty("port", out var value))
        {
            return 6421;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var port) && port is > 0 and <= 65535
            ? port
            : throw new UsageException("port: a number from 1 to 65535 is required");
    }

    private static Uri? HttpAddress(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String && Uri.TryCreate(value.GetString(), UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new UsageException($"{name}: an http or https address is required");
    }

    private static List<Registry> RegistryList(JsonElement root)
    {
        var registries = new List<Registry>();
        if (!root.TryGetProperty("registries", out var list) || list.ValueKind == JsonValueKind.Null)
        {
            return registries;
        }

        if (list.ValueKind != JsonValueKind.Array)
        {
            throw new UsageException("registries: an array is required");
        }

        foreach (var item in list.EnumerateArray())
        {
            var prefix = $"registries[{registries.Count}].";
            if (item.ValueKind != JsonValueKind.Object)
            {
                throw new UsageException($"registries[{registries.Count}]: an object is required");
            }

            var host = RequiredString(item, "registry", prefix);
            if (host.AsSpan().IndexOfAny("/\\ \"") >= 0 || host is "." or "..")
            {
                throw new UsageException($"{prefix}registry: '{host}' is not a host or host:port");
            }

            var insecure = item.TryGetProperty("insecureSkipVerify", out var skip) && skip.ValueKind == JsonValueKind.True;
            registries.Add(new Registry(host, Mirrors(item, prefix), insecure));
        }

        return registries;
    }

    private static List<Uri> Mirrors(JsonElement registry, string prefix)
    {
        if (!registry.TryGetProperty("mirrors", out var list) || list.ValueKind != JsonValueKind.Array)
        {
            throw new UsageException($"{prefix}mirrors: an array is required");
        }

        var mirrors = new List<Uri>();
        foreach (var item in list.EnumerateArray())
        {
            mirrors.Add(item.ValueKind == JsonValueKind.String
                && Uri.TryCreate(item.GetString(), UriKind.Absolute, out var address) && address.Scheme is ("http" or "https")
                ? address
                : throw new UsageException($"{prefix}mirrors[{mirrors.Count}]: an http or https address is required"));
        }

        return mirrors;
    }
}
