using Kip.Agents;
using Kip.Cells;
using Kip.Host.Configuration;
using Kip.Host.Standalone;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Node;

/// <summary>What the host of a node must not forget, where <see cref="NodeSettings.CellStore"/> says: its authority and its cells' records.</summary>
internal abstract class NodeMemory : IDisposable
{
    public const string SecretName = "kip-controller";

    private NodeMemory(string owner, string identity, CertificateAuthority authority) => (Owner, Identity, Authority) = (owner, identity, authority);

    /// <summary>Whose the cells are.</summary>
    public string Owner { get; }

    /// <summary>What this host is called as a holder of the node's lease.</summary>
    public string Identity { get; }

    public CertificateAuthority Authority { get; }

    /// <summary>Whether the host of an identity is known to have ended.</summary>
    public virtual bool HasEnded(string identity) => false;

    /// <param name="settings">Where it is.</param>
    /// <param name="client">Calls the API server.</param>
    /// <param name="namespace">The host's namespace.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="IOException">The state folder cannot be used, or another process of this machine is the node's host; or the Secret holds something else.</exception>
    /// <exception cref="KubernetesApiException">The Secret may not be read or made.</exception>
    public static async Task<NodeMemory> OpenAsync(
        NodeSettings settings, IKubernetesClient client, string @namespace, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var owner = StandaloneHost.NodeOwner(settings.NodeName);
        if (settings.CellStore == CellStorePlace.Cluster)
        {
            var secret = new ObjectKey(@namespace, SecretName);
            var authority = await CertificateAuthority.LoadOrCreateAsync(client, secret, time, loggers.CreateLogger<CertificateAuthority>(), cancellationToken).ConfigureAwait(false);
            var trace = await HostTrace.TryLeaveAsync(settings.Host.StateDirectory, settings.NodeName, time, cancellationToken).ConfigureAwait(false);
            return new InCluster(owner, authority, trace, client, time, loggers);
        }

        var folder = settings.Host.StateDirectory;
        var held = await OwnerLock.TakeAsync(Path.Combine(folder, "owners"), owner, time, cancellationToken).ConfigureAwait(false);
        try
        {
            return new InFolder(held, await CertificateAuthority.LoadOrCreateAsync(folder, time, cancellationToken).ConfigureAwait(false), folder);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The records of the cells of one cloud, until this is disposed of. To be called once.</summary>
    public abstract Task<ICellStore> OpenRecordsAsync(NodeCloud cloud, CancellationToken cancellationToken);

    public virtual void Dispose() => Authority.Dispose();

    private sealed class InCluster(string owner, CertificateAuthority authority, HostTrace trace, IKubernetesClient client, TimeProvider time, ILoggerFactory loggers)
        : NodeMemory(owner, trace.Identity, authority)
    {
        public override bool HasEnded(string identity) => identity == trace.Predecessor;

        public override void Dispose()
        {
            base.Dispose();
            trace.Dispose();
        }

        public override async Task<ICellStore> OpenRecordsAsync(NodeCloud cloud, CancellationToken cancellationToken)
        {
            var log = loggers.CreateLogger<KubernetesCellStore>();
            await CellDefinition.InstallAsync(client, time, log, cancellationToken).ConfigureAwait(false);
            return new KubernetesCellStore(client, cloud.Driver.Description.ControllerId, time, log);
        }
    }

    // One host at a time by the lock, whatever became of the one before: it has the same name.
    private sealed class InFolder(OwnerLock held, CertificateAuthority authority, string folder)
        : NodeMemory(held.Owner, $"{Environment.MachineName}-{authority.Id}", authority)
    {
        private SqliteCellStore? _records;

        public override async Task<ICellStore> OpenRecordsAsync(NodeCloud cloud, CancellationToken cancellationToken) =>
            _records = await SqliteCellStore.OpenAsync(Path.Combine(folder, cloud.RecordFile), cancellationToken).ConfigureAwait(false);

        public override void Dispose()
        {
            base.Dispose();
            _records?.Dispose();
            held.Dispose();
        }
    }
}
