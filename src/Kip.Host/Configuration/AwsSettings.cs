using Amazon.Runtime;
using Kip.Catalogs;
using Kip.Drivers.Aws;
using Kip.Sizing;

namespace Kip.Host.Configuration;

/// <summary>What provider.yaml says, in the terms of the AWS driver.</summary>
internal static class AwsSettings
{
    /// <summary>The driver's options.</summary>
    /// <param name="aws">cloud.aws.</param>
    /// <param name="cells">cells.</param>
    /// <param name="controllerId">Whose cells they are.</param>
    /// <param name="environment">The environment's variables.</param>
    /// <param name="instanceData">File with the prices to choose by (--instance-data-path); null for the built-in ones.</param>
    /// <exception cref="HostException">No region is given anywhere, or the file of prices cannot be used.</exception>
    public static AwsDriverOptions Read(
        AwsConfiguration aws, CellsConfiguration cells, string controllerId, Func<string, string?> environment, string? instanceData = null)
    {
        var region = aws.Region ?? AwsDriverOptions.DetectRegion()
            ?? throw new HostException(ExitCodes.Usage, "no AWS region is given: set cloud.aws.region in provider.yaml, or AWS_REGION");
        var options = new AwsDriverOptions
        {
            ControllerId = controllerId,
            Region = region,
            // A key of the environment may come with a session token: AWS's own sources read both.
            Credentials = aws.AccessKey is var (id, secret) && environment("AWS_ACCESS_KEY_ID") is null or "" ? new BasicAWSCredentials(id, secret.Value) : null,
            EndpointUrl = aws.Endpoint,
            InterruptionQueue = aws.InterruptionQueue,
            InsecureTlsSkipVerify = aws.SkipTlsVerify,
            VpcId = aws.VpcId,
            SubnetIds = aws.SubnetId is { } subnet ? [subnet] : [],
            ExtraSecurityGroupIds = cells.ExtraSecurityGroups,
            ExtraCidrs = [.. cells.ExtraCidrs.Select(static range => range.ToString())],
            AssignPublicAddress = cells.PrivateIPOnly ? false : null,
            ConnectToPublicAddress = aws.ConnectToPublicAddress && !cells.PrivateIPOnly,
            InstanceProfile = cells.DefaultIamPermissions,
            AgentUrl = cells.AgentUrl,
            AgentSha256 = cells.AgentSha256,
            PriceList = Prices(region, instanceData),
            LivePrices = instanceData is null,
            Tags = cells.Nametag is { } nametag ? new Dictionary<string, string> { ["KipNametag"] = nametag } : [],
        };
        if (cells.CallLimits is { } limits)
        {
            var published = options.CallLimits;
            options = options with
            {
                CallLimits = published with
                {
                    Launch = limits.Launch ?? published.Launch,
                    Instances = limits.Instances ?? published.Instances,
                    Terminate = limits.Terminate ?? published.Terminate,
                    List = limits.List ?? published.List,
                },
            };
        }

        return cells.BootImage.Count == 0
            ? options
            : options with { Image = string.Join("; ", cells.BootImage.OrderBy(static part => part.Key, StringComparer.Ordinal).Select(static part => $"{part.Key}={part.Value}")) };
    }

    private static InstanceCatalog? Prices(string region, string? instanceData)
    {
        try
        {
            if (instanceData is not null)
            {
                using var file = File.OpenRead(instanceData);
                return CatalogFile.Load(file, instanceData, region);
            }

            var builtIn = BuiltInCatalogs.Open("aws");
            return builtIn.Regions.Contains(region) ? builtIn.Load(region) : null;
        }
        catch (Exception e) when (e is CatalogException or IOException or UnauthorizedAccessException)
        {
            throw new HostException(ExitCodes.Usage, e.Message, e);
        }
    }
}
