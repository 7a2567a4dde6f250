using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Drivers.Local;
using Kip.Host.Configuration;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.VirtualKubelet;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Node;

/// <summary>The virtual node of one process: its cells on this machine, its records in SQLite, its pods at an API server.</summary>
internal static class NodeHost
{
    /// <summary>Runs until it is cancelled. The cells and their pods go on.</summary>
    /// <exception cref="HostException">The state folder, the cloud or the cluster cannot be used.</exception>
    public static async Task RunAsync(
        HostSettings settings,
        VirtualNodeOptions node,
        KubernetesConfiguration cluster,
        ILoggerFactory loggers,
        CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        try
        {
            using var owner = OwnerLock.Take(Path.Combine(settings.StateDirectory, "owners"), $"node-{node.NodeName}");
            using var authority = await CertificateAuthority.LoadOrCreateAsync(settings.StateDirectory, time, cancellationToken).ConfigureAwait(false);
            var store = await SqliteCellStore.OpenAsync(Path.Combine(settings.StateDirectory, "kip.db"), cancellationToken).ConfigureAwait(false);
            var userAgent = new KubernetesClientOptions { UserAgent = "kip/" + KipVersion.Text };
            using var client = new KubernetesClient(cluster, userAgent, time);
            using var leaseClient = new KubernetesClient(cluster, userAgent, time);
            await using var virtualNode = new VirtualNode(
                node,
                client,
                leaseClient,
                new CellManagerOptions
                {
                    Owner = owner.Owner,
                    ControllerCa = authority.CertificatePem,
                    Registries = settings.Registries,
                    Credentials = settings.Credentials,
                    ObserveInterval = TimeSpan.FromSeconds(1), // looking at local cells costs nothing, and their death is seen by looking
                },
                new LocalDriver(settings.LocalOptions("kip-" + authority.Id), time, loggers.CreateLogger<LocalDriver>()),
                store,
                new GrpcAgentConnector(authority, time, loggers.CreateLogger<GrpcAgentConnector>()),
                time,
                loggers);
            await virtualNode.RunAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DriverException)
        {
            throw new HostException(ExitCodes.KipFailed, e.Message, e);
        }
    }
}
