using System.CommandLine;

namespace Kip.Host.Configuration;

/// <summary>The options that several commands take.</summary>
internal sealed class SharedOptions
{
    private readonly Option<string?> _stateDirectory = new("--state-dir")
    {
        Description = "Folder for cell records, keys and local cells. KIP_STATE_DIR; default /var/lib/kip",
    };

    private readonly Option<string?> _providerConfig = new("--provider-config") { Description = "provider.yaml" };

    private readonly Option<List<string>> _imageArchives = new("--image-archive")
    {
        Description = "Image archive (OCI or Docker) that local cells have from the start; can be repeated. KIP_IMAGE_ARCHIVES, separated by ':'",
    };

    private readonly Option<string?> _registryConfig = new("--registry-config")
    {
        Description = "Docker's config.json with registry logins. Default $DOCKER_CONFIG/config.json or ~/.docker/config.json, if it exists",
    };

    private readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Say more on stderr" };

    public void AddTo(Command command)
    {
        command.Options.Add(_stateDirectory);
        command.Options.Add(_providerConfig);
        command.Options.Add(_imageArchives);
        command.Options.Add(_registryConfig);
        command.Options.Add(_verbose);
    }

    public Values Read(ParseResult parsed) => new(
        parsed.GetValue(_stateDirectory),
        parsed.GetValue(_providerConfig),
        parsed.GetValue(_imageArchives) ?? [],
        parsed.GetValue(_registryConfig),
        parsed.GetValue(_verbose));

    internal sealed record Values(
        string? StateDirectory,
        string? ProviderConfig,
        IReadOnlyList<string> ImageArchives,
        string? RegistryConfig,
        bool Verbose);
}
