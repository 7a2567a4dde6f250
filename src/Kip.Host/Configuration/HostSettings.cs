using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Drivers.Local;
using Kip.Host.Node;
using Kip.Kubernetes;
using Kip.Pods;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Host.Configuration;

/// <summary>Everything the commands need to know, put together from flags, environment and provider.yaml, in this order.</summary>
internal sealed record HostSettings(
    string StateDirectory,
    ProviderConfiguration Provider,
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

    /// <summary>How cells are looked after, whatever cloud they are in.</summary>
    /// <param name="owner">Whose they are.</param>
    /// <param name="authority">The authority that their agents are to trust.</param>
    /// <param name="cloud">Where they are.</param>
    public CellManagerOptions CellOptions(string owner, CertificateAuthority authority, NodeCloud cloud) => new()
    {
        Owner = owner,
        ControllerCa = authority.CertificatePem,
        CellOverhead = Provider.Cells.Overhead,
        SizingRule = Provider.Cells.SizingRule,
        DefaultInstanceType = Provider.Cells.DefaultInstanceType,
        ObserveInterval = cloud.ObserveInterval,
        TerminatesOrphans = Provider.Cells.TerminatesOrphans,
        ReplacesAtRebalance = Provider.Cells.ReplacesAtRebalance,
        Registries = Registries,
        Credentials = Credentials,
    };

    /// <summary>The settings of a command that runs cells without a cluster: in the cloud that it names, whatever provider.yaml does.</summary>
    /// <param name="flags">The command line.</param>
    /// <param name="cloud">One of <see cref="CloudOption"/>.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="HostException">A file is missing or wrong; the message says which and where.</exception>
    public static async Task<HostSettings> LoadAsync(SharedOptions.Values flags, string cloud, CancellationToken cancellationToken)
    {
        var settings = await LoadAsync(flags, needsCloud: false, cancellationToken).ConfigureAwait(false);
        return (cloud, settings.Provider.Cloud) switch
        {
            (CloudOption.Aws, AwsConfiguration) => settings,
            (CloudOption.Aws, null) => settings.On(new AwsConfiguration()),
            (CloudOption.Aws, _) => throw new HostException(ExitCodes.Usage, $"{flags.ProviderConfig}: it has no cloud.aws, which --cloud aws needs"),
            (_, LocalConfiguration) => settings,
            (_, null) => settings.On(settings.Local),
            (_, var other) => settings.On(settings.Local) with
            {
                Warnings =
                [
                    .. settings.Warnings,
                    $"{flags.ProviderConfig}: the cloud it names is not used: this command runs cells on this machine{(other is AwsConfiguration ? "; --cloud aws runs them there" : "")}",
                ],
            },
        };
    }

    private HostSettings On(CloudConfiguration cloud) => this with { Provider = Provider with { Cloud = cloud } };

    /// <summary>The settings of any command.</summary>
    /// <param name="flags">The command line.</param>
    /// <param name="needsCloud">Whether provider.yaml must name the cloud, as it must for a node.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="HostException">A file is missing or wrong; the message says which and where.</exception>
    public static async Task<HostSettings> LoadAsync(SharedOptions.Values flags, bool needsCloud, CancellationToken cancellationToken)
    {
        try
        {
            var configuration = flags.ProviderConfig is { } path
                ? await ProviderReader.ReadAsync(path, needsCloud, Environment.GetEnvironmentVariable, cancellationToken).ConfigureAwait(false)
                : new ProviderConfiguration();
            var local = configuration.Cloud as LocalConfiguration ?? new LocalConfiguration();
            var archives = flags.ImageArchives.Count > 0 ? flags.ImageArchives : local.ImageArchives ?? Split(Environment.GetEnvironmentVariable("KIP_IMAGE_ARCHIVES"));
            var settings = new HostSettings(
                Path.GetFullPath(flags.StateDirectory ?? Environment.GetEnvironmentVariable("KIP_STATE_DIR") ?? "/var/lib/kip"),
                configuration,
                local,
                Path.GetFullPath(Environment.GetEnvironmentVariable("KIP_AGENT") ?? Path.Combine(AppContext.BaseDirectory, "agent", "kip-agent")),
                archives.Select(Path.GetFullPath).ToList(),
                configuration.Cells.Registries,
                await CredentialsAsync(flags.RegistryConfig, cancellationToken).ConfigureAwait(false),
                configuration.Warnings);

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
