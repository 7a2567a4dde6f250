using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>A simulated cloud with a store, and managers over it that can come and go like processes.</summary>
internal sealed class Bench : IAsyncDisposable
{
    public const string ControllerId = "kip-test";

    private readonly TemporaryDirectory _directory;
    private readonly List<CellManager> _managers = [];

    private readonly SqliteCellStore? _file;

    private Bench(SimulatedCloudOptions options, TemporaryDirectory directory, ICellStore? store, SqliteCellStore? file)
    {
        (_directory, _file) = (directory, file);
        Store = store ?? file!;
        Clock = new VirtualClock();
        Cloud = new SimulatedCloud(Clock, options);
    }

    public VirtualClock Clock { get; }

    public SimulatedCloud Cloud { get; }

    public ICellStore Store { get; }

    public IEnumerable<SimulatedInstance> Alive => Cloud.Instances.Where(i => i.IsAlive);

    public static async Task<Bench> CreateAsync(SimulatedCloudOptions? options = null, ICellStore? store = null)
    {
        var directory = new TemporaryDirectory();
        try
        {
            return new Bench(options ?? new(), directory, store, store is null ? await SqliteCellStore.OpenAsync(directory["kip.db"], default) : null);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    public async Task<CellManager> StartAsync(
        string owner = "owner", Func<ICellDriver, ICellDriver>? driver = null, Func<ICellStore, ICellStore>? store = null, Func<ICellAgentConnector, ICellAgentConnector>? agents = null,
        Func<CellManagerOptions, CellManagerOptions>? options = null, TimeProvider? time = null, bool supersede = false, string controllerId = ControllerId)
    {
        var plain = new CellManagerOptions { Owner = owner, ControllerCa = "pem" };
        var manager = new CellManager(
            options?.Invoke(plain) ?? plain,
            driver?.Invoke(Cloud.CreateDriver(controllerId)) ?? Cloud.CreateDriver(controllerId),
            store?.Invoke(Store) ?? Store,
            agents?.Invoke(Cloud.CreateConnector()) ?? Cloud.CreateConnector(),
            time ?? Clock,
            NullLogger<CellManager>.Instance);
        _managers.Add(manager);
        await manager.StartAsync(supersede, default);
        return manager;
    }

    public Task RunAsync(Func<Task> story) => Clock.RunAsync(story, TimeSpan.FromHours(2));

    public static Pod NewPod(string name = "pod", string spec = "{containers: [{name: main, image: busybox}]}")
    {
        var pod = Manifest.ReadPod($"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: default, uid: uid-{name}}}, spec: {spec}}}", name).Pod;
        pod.Spec.RestartPolicy ??= RestartPolicy.Never;
        return pod;
    }

    /// <summary>What must hold whenever everything is over.</summary>
    public async Task AssertNothingLeftAsync()
    {
        Assert.Empty(Alive);
        Assert.Empty(await Store.ListAsync(default));
        Assert.Empty(Cloud.Violations);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var manager in _managers)
        {
            await manager.DisposeAsync();
        }

        Cloud.Dispose();
        _file?.Dispose();
        _directory.Dispose();
    }
}
