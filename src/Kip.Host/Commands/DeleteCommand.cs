using System.CommandLine;
using Kip.Cells;
using Kip.Host.Configuration;
using Kip.Host.Node;
using Kip.Host.Standalone;
using Kip.Host.Terminal;

namespace Kip.Host.Commands;

/// <summary><c>kip delete cells --node NAME</c>: for a node whose host will not come back.</summary>
internal static class DeleteCommand
{
    public static Command Create()
    {
        var shared = new SharedOptions();
        var cluster = new ClusterOptions();
        var node = new Option<string>("--node") { Description = "The virtual node whose cells are ended; no host of it may run", Required = true };
        var cloud = CloudOption.Create("local for a node whose cells are on this machine, aws for one whose cells are on EC2");
        var cells = new Command("cells", "End all cells of a virtual node that has been given up; its pods are lost") { node, cloud };
        shared.AddTo(cells);
        cluster.AddTo(cells);
        cells.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetRequiredValue(node), parsed.GetRequiredValue(cloud), shared.Read(parsed), cluster.Read(parsed), cancellationToken));
        return new Command("delete", "End things") { cells };
    }

    private static async Task<int> RunAsync(
        string node, string cloud, SharedOptions.Values flags, ClusterOptions.Values cluster, CancellationToken cancellationToken)
    {
        using var loggers = StandardErrorLogging.Create(flags.Verbose);
        if (cluster.IsCluster)
        {
            // Their cloud must be known, or nothing could be ended.
            var remote = await HostSettings.LoadAsync(flags, needsCloud: true, cancellationToken).ConfigureAwait(false);
            using var records = await ClusterCells.OpenAsync(remote, cluster.Kubeconfig, loggers, cancellationToken).ConfigureAwait(false);
            var ended = await records.EndNodeAsync(node, static waits => Console.Error.WriteLine($"kip: {waits}"), cancellationToken).ConfigureAwait(false);
            return await ShowAsync(node, ended).ConfigureAwait(false);
        }

        var settings = await HostSettings.LoadAsync(flags, cloud, cancellationToken).ConfigureAwait(false);
        await using var host = await StandaloneHost.OpenAsync(settings, ofNode: true, loggers, cancellationToken).ConfigureAwait(false);
        return await ShowAsync(node, await host.EndNodeAsync(node, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private static async Task<int> ShowAsync(string node, IReadOnlyList<CellRecord> ended)
    {
        foreach (var cell in ended)
        {
            Console.Out.WriteLine(cell.Pod is { } pod ? $"{cell.Id} of pod {pod}" : $"{cell.Id}, which waited for a pod");
        }

        await Console.Error.WriteLineAsync($"kip: {ended.Count} cells of node {node} ended").ConfigureAwait(false);
        return ExitCodes.Ok;
    }
}
