using System.Text.Json.Serialization;
using Kip.Agents;
using Kip.Kubernetes;

namespace Kip.Host.Configuration;

/// <summary>provider.yaml, as far as this version reads it. The keys are the Go Kip's where it had them.</summary>
internal sealed class ProviderConfiguration
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public CloudConfiguration? Cloud { get; set; }

    public CellsConfiguration? Cells { get; set; }

    /// <exception cref="ManifestException">The file is not usable; the message says where and why.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static async Task<(ProviderConfiguration Value, IReadOnlyList<string> Warnings)> ReadAsync(string path, CancellationToken cancellationToken) =>
        Manifest.ReadConfiguration(
            await File.ReadAllTextAsync(path, cancellationToken).ConfigureAwait(false),
            path,
            ProviderConfigurationContext.Default.ProviderConfiguration);
}

internal sealed class CloudConfiguration
{
    public LocalConfiguration? Local { get; set; }
}

/// <summary>cloud.local: cells on this machine.</summary>
internal sealed class LocalConfiguration
{
    /// <summary>Name of the bridge that the cells are on.</summary>
    public string? Bridge { get; set; }

    /// <summary>The addresses of the cells and their pods; the first is the bridge's own.</summary>
    public string? Cidr { get; set; }

    /// <summary>Image archives (OCI or Docker) that every cell has from the start.</summary>
    public List<string>? ImageArchives { get; set; }
}

internal sealed class CellsConfiguration
{
    /// <summary>Mirrors and plain-http registries.</summary>
    public List<RegistrySettings>? Registries { get; set; }
}

internal sealed class RegistrySettings
{
    public string Registry { get; set; } = "";

    public List<string> Mirrors { get; set; } = [];

    public bool InsecureSkipVerify { get; set; }

    public RegistryConfiguration ToCore(string where)
    {
        if (Registry.Length == 0)
        {
            throw new FormatException($"{where}.registry: a host, or host:port, is needed");
        }

        var mirrors = new List<Uri>();
        for (var i = 0; i < Mirrors.Count; i++)
        {
            mirrors.Add(Uri.TryCreate(Mirrors[i], UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                ? uri
                : throw new FormatException($"{where}.mirrors[{i}]: '{Mirrors[i]}' is not an http:// or https:// address"));
        }

        return new RegistryConfiguration { Registry = Registry, Mirrors = mirrors, InsecureSkipVerify = InsecureSkipVerify };
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ProviderConfiguration))]
internal sealed partial class ProviderConfigurationContext : JsonSerializerContext;
