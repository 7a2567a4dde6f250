using Kip.Cells;

namespace Kip.Core.Tests.Cells;

/// <summary>What is SQLite's own; what every store does is in <see cref="CellStoreTests"/>.</summary>
public sealed class SqliteCellStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Add_SecondCellForOnePodUid_ConflictsWhateverItsName()
    {
        var store = await OpenAsync();
        await store.AddAsync(CellStoreTests.Record("cell-a", "uid"), default);

        var e = await Assert.ThrowsAsync<CellConflictException>(() => store.AddAsync(CellStoreTests.Record("cell-b", "uid"), default));

        Assert.Contains("uid", e.Message, StringComparison.Ordinal);
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

    [Fact]
    public async Task Dispose_WhileAWriteWaits_ClosesTheFileOnceItIsDurable()
    {
        var store = await OpenAsync();
        var adding = store.AddAsync(CellStoreTests.Record("cell-a", "uid"), default);

        store.Dispose();

        await adding;
        Assert.True(SpinWait.SpinUntil(() => !OpenFiles().Exists(file => file.StartsWith(_directory.Path, StringComparison.Ordinal)), TimeSpan.FromSeconds(10)), "the file is still open");
        await Assert.ThrowsAsync<ObjectDisposedException>(() => store.AddAsync(CellStoreTests.Record("cell-b", "other"), default));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => store.ListAsync(default));
        using var again = await OpenAsync();
        Assert.Equal("cell-a", Assert.Single(await again.ListAsync(default)).Id);
    }

    private static List<string> OpenFiles() => [..
        Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(static descriptor => new FileInfo(descriptor).LinkTarget ?? "")];

    private Task<SqliteCellStore> OpenAsync() => SqliteCellStore.OpenAsync(_directory["kip.db"], default);
}
