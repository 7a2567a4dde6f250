using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>What every store does: in memory, in a SQLite file, and at a real API server where one can be had.</summary>
public sealed class CellStoreTests(SharedControlPlane cluster) : IClassFixture<SharedControlPlane>, IAsyncLifetime
{
    private const string Memory = "Memory";
    private const string Sqlite = "SQLite";
    private const string Kubernetes = "Kubernetes";

    private readonly TemporaryDirectory _directory = new();
    private readonly MemoryCellStore _memory = new();
    private readonly string _controller = $"kip-{Guid.NewGuid():N}"[..20];
    private KubernetesClient? _client;

    public static TheoryData<string> Kinds => ControlPlane.Missing() is null ? [Memory, Sqlite, Kubernetes] : [Memory, Sqlite];

    public async Task InitializeAsync()
    {
        if (ControlPlane.Missing() is null)
        {
            var configuration = await KubernetesConfiguration.LoadAsync(cluster.Plane.Kubeconfig, null, TimeProvider.System, default);
            _client = new KubernetesClient(configuration, null, TimeProvider.System);
            await CellDefinition.InstallAsync(_client, TimeProvider.System, NullLogger.Instance, default);
        }
    }

    public Task DisposeAsync()
    {
        _client?.Dispose();
        _directory.Dispose();
        return Task.CompletedTask;
    }

    /// <summary>Says why the tests of the Kubernetes store are not there when they are not.</summary>
    [ControlPlaneFact]
    public void Kinds_WithAControlPlane_AreAll() => Assert.Equal(3, Kinds.Count);

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Add_ThenListFromAnotherStore_ReturnsEveryField(string kind)
    {
        var record = Record(CellName.Random(), "uid-a") with
        {
            State = CellState.Draining,
            StateSince = DateTimeOffset.UnixEpoch.AddTicks(12_345_678),
            CapacityType = CapacityType.Spot,
            AttachedGpus = new GpuDevices("nvidia.com/gpu", "t4", 2, 16L << 30),
            PricePerHour = 0.012345678m,
            DiskBytes = (1L << 62) + 1,
            Options = new LaunchOptions { DedicatedHost = true, SecurityGroups = ["sg-1", "sg-2"], InstanceProfile = "p", PrivateAddressOnly = false, Routes = ["10.9.0.0/16"] },
            InstanceId = "i-1",
            Address = "192.0.2.1",
            PodAddress = "192.0.2.2",
            ClaimedAt = DateTimeOffset.UnixEpoch.AddMinutes(1),
            Reason = "Why",
            Message = "Because ü \"quoted\"\n",
            DrainDeadline = DateTimeOffset.UnixEpoch.AddHours(1),
            FinalStatus = new PodStatus { Phase = PodPhase.Failed, ContainerStatuses = [new ContainerStatus { Name = "c", RestartCount = 3 }] },
        };
        var added = await (await OpenAsync(kind)).AddAsync(record, default);

        var read = Assert.Single(await (await OpenAsync(kind)).ListAsync(default));

        Assert.Equal(3, read.FinalStatus!.ContainerStatuses![0].RestartCount);
        Assert.Equal(record.Options, read.Options! with { SecurityGroups = record.Options!.SecurityGroups, Routes = record.Options.Routes });
        Assert.Equal(["sg-1", "sg-2"], read.Options.SecurityGroups);
        Assert.Equal(["10.9.0.0/16"], read.Options.Routes);
        Assert.Equal(record with { Version = 1, StoreVersion = added.StoreVersion, FinalStatus = null, Options = null }, read with { FinalStatus = null, Options = null });
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Add_CellWithoutAPod_ComesBackWithoutOne(string kind)
    {
        var store = await OpenAsync(kind);
        await store.AddAsync(Record(CellName.Random(), null), default);
        await store.AddAsync(Record(CellName.Random(), null), default);

        Assert.All(await store.ListAsync(default), static r => Assert.Null(r.Pod));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Add_SecondCellForOnePod_Conflicts(string kind)
    {
        var uid = Guid.NewGuid().ToString();
        await (await OpenAsync(kind)).AddAsync(Record(CellName.Of(uid), uid), default);
        var other = await OpenAsync(kind);

        var e = await Assert.ThrowsAsync<CellConflictException>(() => other.AddAsync(Record(CellName.Of(uid), uid), default));

        Assert.Contains(uid, e.Message, StringComparison.Ordinal);
        Assert.Single(await other.ListAsync(default));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Update_BasedOnAnOldVersion_ConflictsAndChangesNothing(string kind)
    {
        var store = await OpenAsync(kind);
        var first = await store.AddAsync(Record(CellName.Random(), "uid"), default);
        var second = await store.UpdateAsync(first with { State = CellState.Booting }, default);

        await Assert.ThrowsAsync<CellConflictException>(() => store.UpdateAsync(first with { State = CellState.Terminating }, default));

        Assert.Equal(second, Assert.Single(await store.ListAsync(default)));
        Assert.Equal(2, second.Version);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Delete_BasedOnAnOldVersion_ConflictsAndDeletesNothing(string kind)
    {
        var store = await OpenAsync(kind);
        var first = await store.AddAsync(Record(CellName.Random(), "uid"), default);
        var second = await store.UpdateAsync(first with { State = CellState.Booting }, default);

        await Assert.ThrowsAsync<CellConflictException>(() => store.DeleteAsync(first, default));

        Assert.Equal(second, Assert.Single(await store.ListAsync(default)));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Update_AfterDelete_Conflicts(string kind)
    {
        var store = await OpenAsync(kind);
        var record = await store.AddAsync(Record(CellName.Random(), "uid"), default);
        await store.DeleteAsync(record, default);
        await store.DeleteAsync(record, default);

        await Assert.ThrowsAsync<CellConflictException>(() => store.UpdateAsync(record, default));
        Assert.Empty(await store.ListAsync(default));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Update_ManyAtOnceFromSeveralStores_ExactlyOneOfEachVersionWins(string kind)
    {
        var stores = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => OpenAsync(kind)));
        var record = await stores[0].AddAsync(Record(CellName.Random(), "uid"), default);

        var wins = await Task.WhenAll(stores.Select(async store =>
        {
            try
            {
                await store.UpdateAsync(record with { State = CellState.Booting }, default);
                return true;
            }
            catch (CellConflictException)
            {
                return false;
            }
        }));

        Assert.Single(wins, static won => won);
    }

    internal static CellRecord Record(string id, string? podUid) => new()
    {
        Id = id,
        Owner = "node-test",
        State = CellState.Planned,
        StateSince = DateTimeOffset.UnixEpoch,
        CreatedAt = DateTimeOffset.UnixEpoch,
        Pod = podUid is null ? null : new PodReference("default", "pod", podUid),
        LaunchToken = new string('0', 32),
        InstanceType = "type",
        Zone = "zone",
    };

    private async Task<ICellStore> OpenAsync(string kind) => kind switch
    {
        Memory => _memory,
        Sqlite => await SqliteCellStore.OpenAsync(_directory["kip.db"], default),
        _ => new KubernetesCellStore(_client!, _controller, TimeProvider.System, NullLogger<KubernetesCellStore>.Instance),
    };
}
