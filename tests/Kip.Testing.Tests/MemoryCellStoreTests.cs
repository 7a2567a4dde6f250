using Kip.Cells;

namespace Kip.Testing.Tests;

public sealed class MemoryCellStoreTests
{
    private readonly MemoryCellStore _store = new();

    [Fact]
    public async Task UpdateAsync_OfAnOldVersion_Conflicts()
    {
        var added = await _store.AddAsync(Make("cell-1", "uid-1"), default);
        var updated = await _store.UpdateAsync(added with { State = CellState.Launching }, default);

        Assert.Equal((1, 2), (added.Version, updated.Version));
        await Assert.ThrowsAsync<CellConflictException>(() => _store.UpdateAsync(added, default));
        Assert.Equal(updated, Assert.Single(await _store.ListAsync(default)));
    }

    [Fact]
    public async Task AddAsync_OfAPodThatHasACell_ConflictsUntilThatIsDeleted()
    {
        var first = await _store.AddAsync(Make("cell-1", "uid-1"), default);

        await Assert.ThrowsAsync<CellConflictException>(() => _store.AddAsync(Make("cell-2", "uid-1"), default));
        await Assert.ThrowsAsync<CellConflictException>(() => _store.AddAsync(Make("cell-1", "uid-2"), default));
        await _store.DeleteAsync(first, default);
        await _store.DeleteAsync(first, default);
        await _store.AddAsync(Make("cell-2", "uid-1"), default);
        await Assert.ThrowsAsync<CellConflictException>(() => _store.UpdateAsync(Make("cell-3", "uid-3"), default));
    }

    [Fact]
    public async Task UpdateAsync_OfACellWithoutAPod_TakesOneThatHasNone()
    {
        await _store.AddAsync(Make("cell-1", "uid-1"), default);
        var standby = await _store.AddAsync(Make("cell-2", null), default);
        await _store.AddAsync(Make("cell-3", null), default);

        await Assert.ThrowsAsync<CellConflictException>(() => _store.UpdateAsync(standby with { Pod = Pod("uid-1") }, default));
        await _store.UpdateAsync(standby with { Pod = Pod("uid-2") }, default);
        await Assert.ThrowsAsync<CellConflictException>(() => _store.AddAsync(Make("cell-4", "uid-2"), default));
    }

    private static PodReference Pod(string uid) => new("default", "pod", uid);

    private static CellRecord Make(string id, string? uid) => new()
    {
        Id = id,
        Owner = "owner",
        State = CellState.Planned,
        StateSince = default,
        CreatedAt = default,
        Pod = uid is null ? null : Pod(uid),
        LaunchToken = "token",
        InstanceType = "sim.nano",
        Zone = "sim-1a",
    };
}
