using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Host.Configuration;
using Kip.Host.Node;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Standalone;

/// <summary>Kip without a cluster: cells on this machine or in a cloud, records in SQLite, the authority in a file. One per command.</summary>
internal sealed class StandaloneHost : IAsyncDisposable
{
    private const string RunPrefix = "run";

    private readonly string _owners;
    private readonly OwnerLock _owner;
    private readonly CertificateAuthority _authority;
    private readonly NodeCloud _cloud;
    private readonly SqliteCellStore _store;

    private StandaloneHost(string owners, OwnerLock owner, CertificateAuthority authority, NodeCloud cloud, SqliteCellStore store, CellManager manager)
    {
        _owners = owners;
        _owner = owner;
        _authority = authority;
        _cloud = cloud;
        _store = store;
        Manager = manager;
    }

    public ICellStore Store => _store;

    public CellManager Manager { get; }

    /// <param name="settings">Where it is, and the cloud.</param>
    /// <param name="ofNode">
    /// Whether the cells of a node are to be seen. Instances carry the controller id that provider.yaml gives only if a node made them; they
    /// may be in records that are elsewhere, and what <c>kip run</c> finds in no record it terminates.
    /// </param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="HostException">The state folder or the cloud cannot be used.</exception>
    public static async Task<StandaloneHost> OpenAsync(HostSettings settings, bool ofNode, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        OwnerLock? owner = null;
        NodeCloud? cloud = null;
        SqliteCellStore? store = null;
        try
        {
            var time = TimeProvider.System;
            var owners = Path.Combine(settings.StateDirectory, "owners");
            owner = OwnerLock.Create(owners, RunPrefix);
            var authority = await CertificateAuthority.LoadOrCreateAsync(settings.StateDirectory, time, cancellationToken).ConfigureAwait(false);
            cloud = NodeCloud.Open(ofNode ? settings : settings with { Provider = settings.Provider with { ControllerId = null } }, instanceData: null, authority.Id, time, loggers);
            store = await SqliteCellStore.OpenAsync(Path.Combine(settings.StateDirectory, cloud.RecordFile), cancellationToken).ConfigureAwait(false);
            var manager = new CellManager(
                settings.CellOptions(owner.Owner, authority, cloud),
                cloud.Driver,
                store,
                new GrpcAgentConnector(authority, time, loggers.CreateLogger<GrpcAgentConnector>()),
                time,
                loggers.CreateLogger<CellManager>());
            await manager.StartAsync(cancellationToken).ConfigureAwait(false);
            return new StandaloneHost(owners, owner, authority, cloud, store, manager);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DriverException)
        {
            store?.Dispose();
            cloud?.Dispose();
            owner?.Dispose();
            throw new HostException(ExitCodes.KipFailed, e.Message, e);
        }
    }

    /// <summary>Ends what runs that were killed left behind; returns a line for each thing that was removed.</summary>
    public async Task<IReadOnlyList<string>> CollectAsync(CancellationToken cancellationToken)
    {
        var (cells, instances) = await Manager
            .CollectAsync(IsAbandoned, cancellationToken)
            .ConfigureAwait(false);
        var owners = (await Store.ListAsync(cancellationToken).ConfigureAwait(false)).Select(static r => r.Owner).ToHashSet(StringComparer.Ordinal);
        OwnerLock.ForgetGone(_owners, owners, TimeProvider.System);
        return
        [
            .. cells.Select(static c => $"removed {c.Id} of pod {c.Pod}: its kip run ended without cleaning up"),
            .. instances.Select(static i => $"removed {i}: it belonged to no cell"),
        ];
    }

    /// <summary>Ends the cells of a virtual node, whose host must not run.</summary>
    /// <exception cref="HostException">Its host runs.</exception>
    public async Task<IReadOnlyList<CellRecord>> EndNodeAsync(string node, CancellationToken cancellationToken)
    {
        try
        {
            using var owner = await OwnerLock.TakeAsync(_owners, NodeOwner(node), TimeProvider.System, cancellationToken).ConfigureAwait(false);
            return (await Manager.CollectAsync(r => r.Owner == owner.Owner, cancellationToken).ConfigureAwait(false)).Cells;
        }
        catch (Exception e) when (e is IOException or DriverException)
        {
            throw new HostException(ExitCodes.KipFailed, e.Message, e);
        }
    }

    /// <summary>Who owns the cells of a virtual node.</summary>
    public static string NodeOwner(string node) => $"node-{node}";

    // A node comes back for its cells; a run that has ended does not.
    private bool IsAbandoned(CellRecord record) =>
        record.Owner.StartsWith(RunPrefix + "-", StringComparison.Ordinal) && record.Owner != _owner.Owner && OwnerLock.IsGone(_owners, record.Owner);

    public async ValueTask DisposeAsync()
    {
        await Manager.DisposeAsync().ConfigureAwait(false);
        _store.Dispose();
        _cloud.Dispose();
        _authority.Dispose();
        _owner.Dispose();
    }
}
