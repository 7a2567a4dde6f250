using Kip.Drivers;
using Kip.Drivers.Aws;
using Kip.Drivers.Local;
using Kip.Host.Configuration;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Node;

/// <summary>Where the cells of a node are, by provider.yaml.</summary>
/// <param name="Driver">Makes them.</param>
/// <param name="RecordFile">
/// Name of the file of their records. One for each cloud: whoever reads records with another cloud's driver takes their instances for gone.
/// </param>
/// <param name="ObserveInterval">How often instances are listed when nothing is waited for.</param>
internal sealed record NodeCloud(ICellDriver Driver, string RecordFile, TimeSpan ObserveInterval) : IDisposable
{
    /// <param name="settings">provider.yaml and what goes with it.</param>
    /// <param name="instanceData">File with the prices to choose by; null for the built-in ones.</param>
    /// <param name="authorityId">Whose the cells are.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <exception cref="HostException">provider.yaml names a cloud that there is no driver for, or not enough of it.</exception>
    public static NodeCloud Open(HostSettings settings, string? instanceData, string authorityId, TimeProvider time, ILoggerFactory loggers)
    {
        var controllerId = ControllerIdOf(authorityId);
        return settings.Provider.Cloud switch
        {
            // Looking at local cells costs nothing, and their death is seen by looking.
            LocalConfiguration => new NodeCloud(
                new LocalDriver(settings.LocalOptions(controllerId), time, loggers.CreateLogger<LocalDriver>()), "kip.db", TimeSpan.FromSeconds(1)),
            AwsConfiguration aws => new NodeCloud(
                new AwsDriver(
                    AwsSettings.Read(aws, settings.Provider.Cells, settings.Provider.ControllerId ?? controllerId, Environment.GetEnvironmentVariable, instanceData),
                    time,
                    loggers.CreateLogger<AwsDriver>()),
                "aws.db",
                TimeSpan.FromSeconds(10)),
            _ => throw new HostException(ExitCodes.Usage, "this version of kip has drivers for cloud.local and cloud.aws only"),
        };
    }

    /// <summary>What the instances of an authority are tagged with, unless provider.yaml says something else.</summary>
    public static string ControllerIdOf(string authorityId) => "kip-" + authorityId;

    public void Dispose() => (Driver as IDisposable)?.Dispose();
}
