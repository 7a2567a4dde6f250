using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;

namespace Kip.Core.Tests.Cells;

public sealed class SqliteCellStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Add_ThenListFromAnotherStore_ReturnsEveryField()
    {
        var record = Record("cell-a", "uid-a") with
        {
            State = CellState.Draining,
            CapacityType = CapacityType.Spot,
            PricePerHour = 0.0123m,
            InstanceId = "i-1",
            Address = "192.0.2.1",
            PodAddress = "192.0.2.2",
            EnrolmentToken = "secret",
            Reason = "Why",
            Message = "Because",
            DrainDeadline = DateTimeOffset.UnixEpoch.AddHours(1),
            FinalStatus = new PodStatus { Phase = PodPhase.Failed, ContainerStatuses = [new ContainerStatus { Name = "c", RestartCount = 3 }] },
        };
        await (await OpenAsync()).AddAsync(record, default);

        var read = Assert.Single(await (await OpenAsync()).ListAsync(default));

        Assert.Equal(3, read.FinalStatus!.ContainerStatuses![0].RestartCount);
        Assert.Equal(record with { Version = 1, FinalStatus = null }, read with { FinalStatus = null });
    }

    [Fact]
    public async Task Add_SecondCellForOnePodUid_Conflicts()
    {
        var store = await OpenAsync();
        await store.AddAsync(Record("cell-a", "uid"), default);

        var e = await Assert.ThrowsAsync<CellConflictException>(() => store.AddAsync(Record("cell-b", "uid"), default));

        Assert.Contains("uid", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Update_BasedOnAnOldVersion_ConflictsAndChangesNothing()
    {
        var store = await OpenAsync();
        var first = await store.AddAsync(Record("cell-a", "uid"), default);
        var second = await store.UpdateAsync(first with { State = CellState.Booting }, default);

        await Assert.ThrowsAsync<CellConflictException>(() => store.UpdateAsync(first with { State = CellState.Terminating }, default));

        Assert.Equal(second, Assert.Single(await store.ListAsync(default)));
    }

    [Fact]
    public async Task Update_AfterDelete_Conflicts()
    {
        var store = await OpenAsync();
        var record = await store.AddAsync(Record("cell-a", "uid"), default);
        await store.DeleteAsync(record.Id, default);
        await store.DeleteAsync(record.Id, default);

        await Assert.ThrowsAsync<CellConflictException>(() => store.UpdateAsync(record, default));
        Assert.Empty(await store.ListAsync(default));
    }

    [Fact]
    public async Task Update_ManyAtOnceFromSeveralStores_ExactlyOneOfEachVersionWins()
    {
        var stores = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => OpenAsync()));
        var record = await stores[0].AddAsync(Record("cell-a", "uid"), default);

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

        Assert.Single(wins, won => won);
    }

    [Fact]
    public async Task Open_FileThatIsNoDatabase_SaysWhichFile()
    {
        await File.WriteAllTextAsync(_directory["kip.db"], new string('x', 4096));

        var e = await Assert.ThrowsAsync<IOException>(OpenAsync);

        Assert.Contains("kip.db", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_NewFile_IsReadableByItsOwnerOnly()
    {
        await OpenAsync();

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory["kip.db"]));
    }

    private Task<SqliteCellStore> OpenAsync() => SqliteCellStore.OpenAsync(_directory["kip.db"], default);

    private static CellRecord Record(string id, string podUid) => new()
    {
        Id = id,
        Owner = "test",
        State = CellState.Planned,
        StateSince = DateTimeOffset.UnixEpoch,
        CreatedAt = DateTimeOffset.UnixEpoch,
        Pod = new PodReference("default", "pod", podUid),
        LaunchToken = new string('0', 32),
        InstanceType = "type",
        Zone = "zone",
    };
}
