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
        var cells = new Command("cells", "End all cells of a virtual node that has been given up; its pods are lost") { node };
        shared.AddTo(cells);
        cells.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetRequiredValue(node), shared.Read(parsed), cancellationToken));
        return new Command("delete", "End things") { cells };
    }

    private static async Task<int> RunAsync(string node, SharedOptions.Values flags, CancellationToken cancellationToken)
    {
        var settings = await HostSettings.LoadAsync(flags, cancellationToken).ConfigureAwait(false);
        using var loggers = StandardErrorLogging.Create(flags.Verbose);
        await using var host = await StandaloneHost.OpenAsync(settings, loggers, cancellationToken).ConfigureAwait(false);
        var ended = await host.EndNodeAsync(node, cancellationToken).ConfigureAwait(false);
        foreach (var cell in ended)
        {
            Console.Out.WriteLine($"{cell.Id} of pod {cell.Pod}");
        }

        await Console.Error.WriteLineAsync($"kip: {ended.Count} cells of node {node} ended").ConfigureAwait(false);
        return ExitCodes.Ok;
    }
}
