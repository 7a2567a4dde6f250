using System.CommandLine;
using Kip.Catalogs;
using Kip.Drivers.Local;
using Kip.Sizing;

namespace Kip.Host.Configuration;

/// <summary>The options that say which catalog a command looks into.</summary>
internal sealed class CatalogOptions
{
    private const string Local = "local";

    private readonly Option<string> _cloud = new("--cloud") { Description = "aws, azure, gce or local", DefaultValueFactory = static _ => Local };

    private readonly Option<string?> _region = new("--region")
    {
        Description = "The region, as the cloud writes it. Default us-east-1 of aws, eastus of azure, us-central1 of gce",
    };

    private readonly Option<string?> _file = new("--instance-data-path")
    {
        Description = "A catalog file instead of the built-in one: Kip's own format (docs/sizing.md), or the JSON of the Go Kip",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_cloud);
        command.Options.Add(_region);
        command.Options.Add(_file);
    }

    /// <summary>The cloud and what it offers.</summary>
    public (string Cloud, InstanceCatalog Catalog) Load(ParseResult parsed)
    {
        var cloud = parsed.GetValue(_cloud) ?? Local;
        var region = parsed.GetValue(_region);
        try
        {
            if (parsed.GetValue(_file) is { } path)
            {
                return (cloud, Read(path, cloud, region));
            }

            return cloud == Local
                ? (cloud, LocalDriver.CatalogOfThisMachine())
                : (cloud, BuiltInCatalogs.Open(cloud).Load(region ?? DefaultRegion(cloud)));
        }
        catch (Exception e) when (e is CatalogException or IOException or UnauthorizedAccessException)
        {
            throw new HostException(ExitCodes.Usage, e.Message, e);
        }
    }

    private static InstanceCatalog Read(string path, string cloud, string? region)
    {
        using var file = File.OpenRead(path);
        return CatalogFile.Read(file, path).Load(region ?? DefaultRegion(cloud));
    }

    private static string DefaultRegion(string cloud) => cloud switch
    {
        "aws" => "us-east-1",
        "azure" => "eastus",
        "gce" => "us-central1",
        _ => cloud,
    };
}
