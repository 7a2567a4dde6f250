using Kip.Agents;
using Kip.Drivers;
using Kip.Drivers.Local;
using Kip.Kubernetes;
using Kip.Pods;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Host.Configuration;

/// <summary>Everything the commands need to know, put together from flags, environment and provider.yaml, in this order.</summary>
internal sealed record HostSettings(
    string StateDirectory,
    LocalConfiguration Local,
    string AgentPath,
    IReadOnlyList<string> ImageArchives,
    IReadOnlyList<RegistryConfiguration> Registries,
    IReadOnlyList<RegistryCredential> Credentials,
    IReadOnlyList<string> Warnings)
{
    public LocalDriverOptions LocalOptions(string controllerId)
    {
        var options = new LocalDriverOptions
        {
            StateDirectory = Path.Combine(StateDirectory, "local"),
            ControllerId = controllerId,
            AgentPath = AgentPath,
            ImageArchives = ImageArchives,
        };
        return options with { Bridge = Local.Bridge ?? options.Bridge, Cidr = Local.Cidr ?? options.Cidr };
    }

    /// <exception cref="HostException">A file is missing or wrong; the message says which and where.</exception>
    public static async Task<HostSettings> LoadAsync(SharedOptions.Values flags, CancellationToken cancellationToken)
    {
        try
        {
            var (configuration, warnings) = flags.ProviderConfig is { } path
                ? await ProviderConfiguration.ReadAsync(path, cancellationToken).ConfigureAwait(false)
                : (new ProviderConfiguration(), []);
            var local = configuration.Cloud?.Local ?? new LocalConfiguration();
            var archives = flags.ImageArchives.Count > 0 ? flags.ImageArchives : local.ImageArchives ?? Split(Environment.GetEnvironmentVariable("KIP_IMAGE_ARCHIVES"));
            var registries = configuration.Cells?.Registries ?? [];
            var settings = new HostSettings(
                Path.GetFullPath(flags.StateDirectory ?? Environment.GetEnvironmentVariable("KIP_STATE_DIR") ?? "/var/lib/kip"),
                local,
                Path.GetFullPath(Environment.GetEnvironmentVariable("KIP_AGENT") ?? Path.Combine(AppContext.BaseDirectory, "agent", "kip-agent")),
                archives.Select(Path.GetFullPath).ToList(),
                registries.Select(static (r, i) => r.ToCore($"cells.registries[{i}]")).ToList(),
                await CredentialsAsync(flags.RegistryConfig, cancellationToken).ConfigureAwait(false),
                warnings);

            // Touches nothing, and says what is wrong with the options before anything else is tried with them.
            _ = new LocalDriver(settings.LocalOptions("check"), TimeProvider.System, NullLogger<LocalDriver>.Instance);
            return settings;
        }
        catch (Exception e) when (e is ManifestException or FormatException or DriverException or IOException or UnauthorizedAccessException)
        {
            throw new HostException(ExitCodes.Usage, e.Message, e);
        }
    }

    private static List<string> Split(string? list) => [.. (list ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)];

    // As docker and podman do it, so that a login made with them is enough.
    private static async Task<IReadOnlyList<RegistryCredential>> CredentialsAsync(string? path, CancellationToken cancellationToken)
    {
        if (path is null)
        {
            var folder = Environment.GetEnvironmentVariable("DOCKER_CONFIG")
                ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".docker");
            path = Path.Combine(folder, "config.json");
            if (!File.Exists(path))
            {
                return [];
            }
        }

        return DockerConfig.Parse(await File.ReadAllTextAsync(path, cancellationToken).ConfigureAwait(false), path);
    }
}

/// <summary>Ends the program with a message for the user.</summary>
internal sealed class HostException(int exitCode, string message, Exception? innerException = null) : Exception(message, innerException)
{
    public int ExitCode { get; } = exitCode;
}

/// <summary>What <c>kip</c> exits with when it is not the pod's own code.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>A check failed: <c>kip doctor</c> found something missing.</summary>
    public const int NotReady = 1;

    /// <summary>The command line, the manifest or the configuration is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Kip could not run the pod.</summary>
    public const int KipFailed = 125;

    /// <summary>Ended by Ctrl-C or SIGTERM.</summary>
    public const int Interrupted = 130;
}
