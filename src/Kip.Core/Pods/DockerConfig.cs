using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Kip.Agents;

namespace Kip.Pods;

/// <summary>
/// Reads registry logins from Docker's <c>config.json</c>, which is also what a pull secret of type <c>kubernetes.io/dockerconfigjson</c>
/// holds.
/// </summary>
public static class DockerConfig
{
    /// <summary>The logins in the file; credential helpers are not run.</summary>
    /// <param name="json">The file's text.</param>
    /// <param name="source">What to call it in messages.</param>
    /// <exception cref="FormatException">It is not such a file; the message says where, and never what the secret is.</exception>
    public static IReadOnlyList<RegistryCredential> Parse(string json, string source)
    {
        var file = Read(json, DockerConfigContext.Default.DockerConfigFile, source);
        return Logins(file?.Auths, source);
    }

    /// <summary>The logins in the older <c>.dockercfg</c>, which is what <c>auths</c> holds in the newer file.</summary>
    /// <param name="json">The file's text.</param>
    /// <param name="source">What to call it in messages.</param>
    /// <exception cref="FormatException">It is not such a file; the message says where, and never what the secret is.</exception>
    public static IReadOnlyList<RegistryCredential> ParseLegacy(string json, string source) =>
        Logins(Read(json, DockerConfigContext.Default.DictionaryStringDockerLogin, source), source);

    private static T? Read<T>(string json, JsonTypeInfo<T> type, string source)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type);
        }
        catch (JsonException e)
        {
            throw new FormatException($"{source}: not a Docker configuration: line {e.LineNumber + 1}, {e.Path}");
        }
    }

    private static List<RegistryCredential> Logins(Dictionary<string, DockerLogin>? logins, string source)
    {
        var credentials = new List<RegistryCredential>();
        foreach (var (server, login) in logins ?? [])
        {
            var (username, password) = (login.Username, login.Password);
            if (login.Auth is { Length: > 0 } auth && string.IsNullOrEmpty(username))
            {
                (username, password) = Decode(auth, server, source);
            }

            if (!string.IsNullOrEmpty(username))
            {
                credentials.Add(new RegistryCredential(Host(server), username, password ?? ""));
            }
        }

        return credentials;
    }

    private static (string Username, string Password) Decode(string auth, string server, string source)
    {
        var bytes = new byte[auth.Length];
        if (!Convert.TryFromBase64String(auth, bytes, out var length))
        {
            throw new FormatException($"{source}: auths[\"{server}\"].auth is not base64");
        }

        var text = Encoding.UTF8.GetString(bytes, 0, length).TrimEnd('\0');
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0
            ? (text[..colon], text[(colon + 1)..])
            : throw new FormatException($"{source}: auths[\"{server}\"].auth is not of the form user:password");
    }

    // Docker keys Docker Hub by the address of its first API; images call it docker.io.
    private static string Host(string server)
    {
        var host = server;
        var scheme = host.IndexOf("://", StringComparison.Ordinal);
        if (scheme >= 0)
        {
            host = host[(scheme + 3)..];
        }

        var slash = host.IndexOf('/', StringComparison.Ordinal);
        host = slash >= 0 ? host[..slash] : host;
        return host is "index.docker.io" or "registry-1.docker.io" ? "docker.io" : host;
    }
}

internal sealed record DockerConfigFile(Dictionary<string, DockerLogin>? Auths);

internal sealed record DockerLogin(string? Username, string? Password, string? Auth);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DockerConfigFile))]
[JsonSerializable(typeof(Dictionary<string, DockerLogin>))]
internal sealed partial class DockerConfigContext : JsonSerializerContext;
