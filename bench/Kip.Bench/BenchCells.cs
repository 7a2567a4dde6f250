using System.Diagnostics;
using System.Globalization;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Drivers.Local;
using Kip.Sizing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Bench;

/// <summary>Local cells of a bench's own.</summary>
internal sealed class BenchCells : IAsyncDisposable
{
    /// <summary>What the cells are; a pod must ask for it, or it gets one that is cheaper, and boots first.</summary>
    public const string InstanceType = "local.medium";

    private readonly string _state;
    private readonly CertificateAuthority _authority;
    private readonly SqliteCellStore _store;
    private readonly DriverWithGate _gate;

    private BenchCells(string state, CertificateAuthority authority, SqliteCellStore store, LocalDriver driver, DriverWithGate gate, CellManager manager) =>
        (_state, _authority, _store, Driver, _gate, Manager) = (state, authority, store, driver, gate, manager);

    public LocalDriver Driver { get; }

    public CellManager Manager { get; }

    /// <param name="root">The repository.</param>
    /// <param name="ready">How many cells are kept ready for the next pods.</param>
    public static async Task<BenchCells> StartAsync(string root, int ready)
    {
        var state = Directory.CreateTempSubdirectory("kip-bench-").FullName;
        var time = TimeProvider.System;
        var images = Path.Combine(root, "artifacts", "images");
        var authority = await CertificateAuthority.LoadOrCreateAsync(state, time, default);
        var driver = new LocalDriver(
            new LocalDriverOptions
            {
                StateDirectory = Path.Combine(state, "local"),
                ControllerId = "bench",
                AgentPath = Path.Combine(root, "artifacts", "kip", "agent", "kip-agent"),
                ImageArchives = [Path.Combine(images, "pause.tar"), Path.Combine(images, "busybox.tar")],
                Bridge = "kipbench1",
                Cidr = "10.231.1.0/24",
            },
            time,
            NullLogger<LocalDriver>.Instance);
        var gate = new DriverWithGate(driver);
        var store = await SqliteCellStore.OpenAsync(Path.Combine(state, "kip.db"), default);
        var manager = new CellManager(
            new CellManagerOptions { Owner = "bench", ControllerCa = authority.CertificatePem, StandbyCells = [new StandbyCells(InstanceType, ready)] },
            gate,
            store,
            new GrpcAgentConnector(authority, time, NullLogger<GrpcAgentConnector>.Instance),
            time,
            NullLogger<CellManager>.Instance);
        await manager.StartAsync(default);
        return new BenchCells(state, authority, store, driver, gate, manager);
    }

    /// <summary>
    /// Boots no cell until the answer is disposed of: the one that is to replace a cell boots on another machine, where machines are real,
    /// and not on the processors of what is measured.
    /// </summary>
    public IDisposable HoldBoots() => _gate.Close();

    /// <summary>Waits until a cell is ready, with its images, and this machine has come to rest.</summary>
    /// <returns>Its id, and the process id of its first process.</returns>
    public async Task<(string Id, int Init)> ReadyAsync()
    {
        var begin = Stopwatch.GetTimestamp();
        while (true)
        {
            var ready = Manager.Standby.Where(static r => r.State == CellState.Ready).ToList();
            if (ready.Count == 1)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, CancellationToken.None);
                var init = await File.ReadAllTextAsync(Path.Combine(_state, "local", "cells", "bench", ready[0].InstanceId!, "init"));
                return (ready[0].Id, int.Parse(init.Split(' ')[0], CultureInfo.InvariantCulture));
            }

            if (Stopwatch.GetElapsedTime(begin) > TimeSpan.FromMinutes(2))
            {
                throw new TimeoutException("no cell became ready within two minutes");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>A process of the cell with this first process: of its descendants the nearest with that name.</summary>
    public static int ProcessOf(int init, string name = "kip-agent")
    {
        var parents = new Queue<int>([init]);
        while (parents.TryDequeue(out var parent))
        {
            foreach (var text in File.ReadAllText($"/proc/{parent}/task/{parent}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                var child = int.Parse(text, CultureInfo.InvariantCulture);
                if (File.ReadAllText($"/proc/{child}/comm") == name + "\n")
                {
                    return child;
                }

                parents.Enqueue(child);
            }
        }

        throw new InvalidOperationException($"the cell of process {init} has no {name}");
    }

    public async ValueTask DisposeAsync()
    {
        using var boots = HoldBoots(); // or what is collected is replaced
        await Manager.CollectAsync(static _ => true, default);
        await Manager.DisposeAsync();
        _store.Dispose();
        _authority.Dispose();
        Directory.Delete(_state, recursive: true);
    }
}

/// <summary>Launches nothing while its gate is closed.</summary>
internal sealed class DriverWithGate(ICellDriver inner) : ICellDriver
{
    private volatile Task _open = Task.CompletedTask;

    public DriverDescription Description => inner.Description;

    public IDisposable Close()
    {
        var opened = new Opening();
        _open = opened.Task;
        return opened;
    }

    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => inner.GetCatalogAsync(cancellationToken);

    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => inner.ResolveImageAsync(reference, cancellationToken);

    public async Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        await _open.WaitAsync(cancellationToken);
        return await inner.LaunchAsync(request, cancellationToken);
    }

    public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) => inner.TerminateAsync(instanceIds, cancellationToken);

    private sealed class Opening : IDisposable
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Task => _done.Task;

        public void Dispose() => _done.TrySetResult();
    }
}
