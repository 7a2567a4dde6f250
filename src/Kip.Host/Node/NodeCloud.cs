using Kip.Drivers;
using Kip.Drivers.Aws;
using Kip.Drivers.Local;
using Kip.Host.Configuration;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Node;

/// <summary>Where cells are, by provider.yaml.</summary>
/// <param name="Driver">Makes them.</param>
/// <param name="RecordFile">
/// Name of the file of their records. One for each cloud and region: whoever reads records with another driver takes their instances for gone.
/// </param>
/// <param name="ObserveInterval">How often instances are listed when nothing is waited for.</param>
internal sealed record NodeCloud(ICellDriver Driver, string RecordFile, TimeSpan ObserveInterval) : IDisposable
{
    /// <summary>Makes the driver; nothing is called yet.</summary>
    /// <param name="settings">The cloud, in <see cref="ProviderConfiguration.Cloud"/>, and how its cells are to be.</param>
    /// <param name="instanceData">File with the prices to choose by (--instance-data-path); null for the built-in ones.</param>
    /// <param name="authorityId">Whose cells they are, unless provider.yaml says it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <exception cref="HostException">provider.yaml names a cloud that there is no driver for, or not enough of it.</exception>
    /// <exception cref="DriverException">What it says of the cloud cannot be right.</exception>
    public static NodeCloud Open(HostSettings settings, string? instanceData, string authorityId, TimeProvider time, ILoggerFactory loggers)
    {
        var controllerId = ControllerIdOf(authorityId);
        return settings.Provider.Cloud switch
        {
            // Looking at local cells costs nothing, and their death is seen by looking.
            LocalConfiguration => new NodeCloud(
                new LocalDriver(settings.LocalOptions(controllerId), time, loggers.CreateLogger<LocalDriver>()), "kip.db", TimeSpan.FromSeconds(1)),
            AwsConfiguration aws => OpenAws(
                AwsSettings.Read(aws, settings.Provider.Cells, settings.Provider.ControllerId ?? controllerId, Environment.GetEnvironmentVariable, instanceData), time, loggers),
            _ => throw new HostException(ExitCodes.Usage, "this version of kip has drivers for cloud.local and cloud.aws only"),
        };
    }

    private static NodeCloud OpenAws(AwsDriverOptions options, TimeProvider time, ILoggerFactory loggers) => new(
        new AwsDriver(options, time, loggers.CreateLogger<AwsDriver>()), $"aws-{options.Region}.db", TimeSpan.FromSeconds(10));

    /// <summary>What the instances of an authority are tagged with, unless provider.yaml says something else.</summary>
    public static string ControllerIdOf(string authorityId) => "kip-" + authorityId;

    public void Dispose() => (Driver as IDisposable)?.Dispose();
}
