using System.CommandLine;
using System.Runtime.InteropServices;
using Kip.Host.Configuration;
using Kip.Host.Node;
using Kip.Host.Terminal;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Commands;

/// <summary><c>kip node</c>: a virtual node of a cluster.</summary>
internal static class NodeCommand
{
    public static Command Create()
    {
        var options = new NodeOptions();
        var command = new Command("node", "Register a virtual node with a cluster and give each of its pods a cell, until SIGTERM or Ctrl-C; the cells go on");
        options.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(options.Read(parsed), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(NodeOptions.Values flags, CancellationToken cancellationToken)
    {
        var settings = await NodeSettings.LoadAsync(flags, cancellationToken).ConfigureAwait(false);
        foreach (var warning in settings.Warnings)
        {
            await Console.Error.WriteLineAsync($"kip: warning: {warning}").ConfigureAwait(false);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var loggers = StandardErrorLogging.Create(settings.Verbose, LogLevel.Warning);
        await NodeHost.RunAsync(
            settings,
            (node, server) => Console.Error.WriteLine($"kip: node {node.NodeName} of {server} is ready; its kubelet API is at {node.InternalIP}:{node.KubeletPort}"),
            loggers,
            stop.Token).ConfigureAwait(false);
        await Console.Error.WriteLineAsync("kip: stopped; cells and their pods go on").ConfigureAwait(false);
        return ExitCodes.Ok;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }
}
