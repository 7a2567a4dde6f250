using Kip.Agents;
using Kip.Cells;
using Kip.Drivers.Local;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>Local cells by the library, for tests that look at more of a pod than <c>kip run</c> prints.</summary>
public sealed class LocalCells : IAsyncLifetime
{
    private KipHome? _home;
    private CertificateAuthority? _authority;
    private CellManager? _manager;

    internal CellManager Manager => _manager ?? throw new InvalidOperationException(BuiltKip.Missing() ?? "the manager has not been started");

    /// <summary>Starts nothing where nothing can be started: the tests are skipped then.</summary>
    public async Task InitializeAsync()
    {
        if (BuiltKip.Missing() is not null)
        {
            return;
        }

        var time = TimeProvider.System;
        _home = new KipHome();
        Directory.CreateDirectory(_home.State);
        _authority = await CertificateAuthority.LoadOrCreateAsync(_home.State, time, CancellationToken.None);
        var driver = new LocalDriver(
            new LocalDriverOptions
            {
                StateDirectory = Path.Combine(_home.State, "local"),
                ControllerId = "kip-" + _authority.Id,
                AgentPath = BuiltKip.Agent,
                ImageArchives = BuiltKip.ImageArchives,
                Bridge = _home.Bridge,
                Cidr = _home.Cidr,
            },
            time,
            NullLogger<LocalDriver>.Instance);
        _manager = new CellManager(
            new CellManagerOptions { Owner = "samples", ControllerCa = _authority.CertificatePem, ObserveInterval = TimeSpan.FromSeconds(1) },
            driver,
            await SqliteCellStore.OpenAsync(Path.Combine(_home.State, "kip.db"), CancellationToken.None),
            new GrpcAgentConnector(_authority, time, NullLogger<GrpcAgentConnector>.Instance),
            time,
            NullLogger<CellManager>.Instance);
        await _manager.StartAsync(CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        if (_manager is null)
        {
            return;
        }

        await Task.WhenAll(_manager.Cells.Select(static async cell =>
        {
            await cell.StopPodAsync(TimeSpan.Zero, CancellationToken.None);
            await cell.Gone;
        }));
        await _manager.DisposeAsync();
        _authority!.Dispose();
        using (_home)
        {
            await _home!.EndAsync();
        }
    }
}
