using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Drivers.Local;
using Kip.Host.Configuration;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Standalone;

/// <summary>Kip without a cluster: local cells, records in SQLite, the authority in a file. One per command.</summary>
internal sealed class StandaloneHost : IAsyncDisposable
{
    private const string RunPrefix = "run";

    private readonly string _owners;
    private readonly OwnerLock _owner;
    private readonly CertificateAuthority _authority;

    private StandaloneHost(string owners, OwnerLock owner, CertificateAuthority authority, ICellStore store, CellManager manager)
    {
        _owners = owners;
        _owner = owner;
        _authority = authority;
        Store = store;
        Manager = manager;
    }

    public ICellStore Store { get; }

    public CellManager Manager { get; }

    /// <exception cref="HostException">The state folder cannot be used.</exception>
    public static async Task<StandaloneHost> OpenAsync(HostSettings settings, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        OwnerLock? owner = null;
        try
        {
            var time = TimeProvider.System;
            var owners = Path.Combine(settings.StateDirectory, "owners");
            owner = OwnerLock.Create(owners, RunPrefix);
            var authority = await CertificateAuthority.LoadOrCreateAsync(settings.StateDirectory, time, cancellationToken).ConfigureAwait(false);
            var store = await SqliteCellStore.OpenAsync(Path.Combine(settings.StateDirectory, "kip.db"), cancellationToken).ConfigureAwait(false);
            var driver = new LocalDriver(settings.LocalOptions("kip-" + authority.Id), time, loggers.CreateLogger<LocalDriver>());
            var manager = new CellManager(
                settings.CellOptions(owner.Owner, authority) with
                {
                    ObserveInterval = TimeSpan.FromSeconds(1), // looking at local cells costs nothing, and their death is seen by looking
                },
                driver,
                store,
                new GrpcAgentConnector(authority, time, loggers.CreateLogger<GrpcAgentConnector>()),
                time,
                loggers.CreateLogger<CellManager>());
            await manager.StartAsync(cancellationToken).ConfigureAwait(false);
            return new StandaloneHost(owners, owner, authority, store, manager);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DriverException)
        {
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
            using var owner = OwnerLock.Take(_owners, NodeOwner(node));
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
        _authority.Dispose();
        _owner.Dispose();
    }
}
