using System.CommandLine;
using System.Globalization;
using Kip.Cells;
using Kip.Host.Configuration;
using Kip.Host.Node;
using Kip.Host.Standalone;
using Kip.Host.Terminal;

namespace Kip.Host.Commands;

/// <summary><c>kip get cells</c>.</summary>
internal static class GetCommand
{
    private static readonly string[] Header = ["NAME", "STATE", "INSTANCE-TYPE", "ZONE", "ADDRESS", "POD", "AGE"];

    public static Command Create()
    {
        var shared = new SharedOptions();
        var cluster = new ClusterOptions();
        var cloud = CloudOption.Create("local for the cells of this machine, aws for those on EC2");
        var cells = new Command("cells", "List the cells of this machine, those on EC2 whose records are here, or those whose records are in a cluster") { cloud };
        cells.Aliases.Add("cell");
        shared.AddTo(cells);
        cluster.AddTo(cells);
        cells.SetAction((parsed, cancellationToken) => RunAsync(
            shared.Read(parsed), parsed.GetRequiredValue(cloud), cluster.Read(parsed), cancellationToken));
        return new Command("get", "List things") { cells };
    }

    private static async Task<int> RunAsync(SharedOptions.Values flags, string cloud, ClusterOptions.Values cluster, CancellationToken cancellationToken)
    {
        using var loggers = StandardErrorLogging.Create(flags.Verbose);
        if (cluster.IsCluster)
        {
            var remote = await HostSettings.LoadAsync(flags, needsCloud: false, cancellationToken).ConfigureAwait(false);
            using var records = await ClusterCells.OpenAsync(remote, cluster.Kubeconfig, loggers, cancellationToken).ConfigureAwait(false);
            return await ShowAsync(records.Store, cancellationToken).ConfigureAwait(false);
        }

        var settings = await HostSettings.LoadAsync(flags, cloud, cancellationToken).ConfigureAwait(false);
        await using var host = await StandaloneHost.OpenAsync(settings, ofNode: false, loggers, cancellationToken).ConfigureAwait(false);
        foreach (var line in await host.CollectAsync(cancellationToken).ConfigureAwait(false))
        {
            await Console.Error.WriteLineAsync($"kip: {line}").ConfigureAwait(false);
        }

        return await ShowAsync(host.Store, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<int> ShowAsync(ICellStore store, CancellationToken cancellationToken)
    {
        var now = TimeProvider.System.GetUtcNow();
        var rows = (await store.ListAsync(cancellationToken).ConfigureAwait(false))
            .OrderBy(static r => r.CreatedAt)
            .Select(r => (string[])[ r.Id, r.State.ToString(), r.InstanceType, r.Zone, r.Address ?? "<none>", r.Pod?.ToString() ?? "<none>", Age(now - r.CreatedAt)])
            .Prepend(Header)
            .ToList();
        if (rows.Count == 1)
        {
            await Console.Error.WriteLineAsync("No cells.").ConfigureAwait(false);
            return ExitCodes.Ok;
        }

        Table.Write(Console.Out, rows);
        return ExitCodes.Ok;
    }

    // The largest two units, as kubectl does it.
    private static string Age(TimeSpan age) => age switch
    {
        { TotalMinutes: < 2 } => $"{(int)age.TotalSeconds}s",
        { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{age.Minutes}m{age.Seconds}s"),
        { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{age.Hours}h{age.Minutes}m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalDays}d{age.Hours}h"),
    };
}
