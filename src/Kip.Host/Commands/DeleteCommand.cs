using System.CommandLine;
using Kip.Cells;
using Kip.Host.Configuration;
using Kip.Host.Standalone;
using Kip.Host.Terminal;

namespace Kip.Host.Commands;

/// <summary><c>kip delete cells --node NAME</c>: for a node whose host will not come back.</summary>
internal static class DeleteCommand
{
    public static Command Create()
    {
        var shared = new SharedOptions();
        var node = new Option<string>("--node") { Description = "The virtual node whose cells are ended; no host of it may run", Required = true };
        var cloud = CloudOption.Create("local for a node whose cells are on this machine, aws for one whose cells are on EC2");
        var cells = new Command("cells", "End all cells of a virtual node that has been given up; its pods are lost") { node, cloud };
        shared.AddTo(cells);
        cells.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetRequiredValue(node), parsed.GetRequiredValue(cloud), shared.Read(parsed), cancellationToken));
        return new Command("delete", "End things") { cells };
    }

    private static async Task<int> RunAsync(string node, string cloud, SharedOptions.Values flags, CancellationToken cancellationToken)
    {
        var settings = await HostSettings.LoadAsync(flags, cloud, cancellationToken).ConfigureAwait(false);
        using var loggers = StandardErrorLogging.Create(flags.Verbose);
        await using var host = await StandaloneHost.OpenAsync(settings, ofNode: true, loggers, cancellationToken).ConfigureAwait(false);
        var ended = await host.EndNodeAsync(node, cancellationToken).ConfigureAwait(false);
        foreach (var cell in ended)
        {
            Console.Out.WriteLine($"{cell.Id} of pod {cell.Pod}");
        }

        await Console.Error.WriteLineAsync($"kip: {ended.Count} cells of node {node} ended").ConfigureAwait(false);
        return ExitCodes.Ok;
    }
}
