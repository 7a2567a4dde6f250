using System.CommandLine;
using System.Net;
using Kip.Host.Configuration;
using Kip.Host.Node;
using Kip.Host.Terminal;
using Kip.Kubernetes.Configuration;
using Kip.VirtualKubelet;

namespace Kip.Host.Commands;

/// <summary><c>kip node</c>: a virtual node of a cluster.</summary>
internal static class NodeCommand
{
    public static Command Create()
    {
        var shared = new SharedOptions();
        var kubeconfig = new Option<string?>("--kubeconfig");
        var name = new Option<string?>("--nodename");
        var address = new Option<string?>("--internal-ip");
        var command = new Command("node", "Register a virtual node with a cluster and give its pods cells") { kubeconfig, name, address };
        shared.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var flags = shared.Read(parsed);
            var settings = await HostSettings.LoadAsync(flags, cancellationToken).ConfigureAwait(false);
            using var loggers = StandardErrorLogging.Create(flags.Verbose);
            var cluster = await KubernetesConfiguration.LoadAsync(parsed.GetValue(kubeconfig), null, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            var node = new VirtualNodeOptions
            {
                NodeName = parsed.GetValue(name) ?? "virtual-kubelet",
                InternalIP = IPAddress.Parse(parsed.GetValue(address) ?? "127.0.0.1"),
                Version = "v1.20.0-kip-" + KipVersion.Text,
            };
            await NodeHost.RunAsync(settings, node, cluster, loggers, cancellationToken).ConfigureAwait(false);
            return ExitCodes.Ok;
        });
        return command;
    }
}
