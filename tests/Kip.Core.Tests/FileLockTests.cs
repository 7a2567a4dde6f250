namespace Kip.Core.Tests;

public sealed class FileLockTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string LockPath => _directory["lock"];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void TryAcquire_HeldByAnother_IsNull_UntilItIsLetGo()
    {
        Assert.False(FileLock.IsHeld(LockPath));
        using (FileLock.TryAcquire(LockPath))
        {
            Assert.Null(FileLock.TryAcquire(LockPath));
            Assert.True(FileLock.IsHeld(LockPath));
        }

        Assert.False(FileLock.IsHeld(LockPath));
        using var again = FileLock.TryAcquire(LockPath);
        Assert.NotNull(again);
    }

    [Fact]
    public void IsHeld_FileThatIsNotThere_IsFalse_AndMakesNone()
    {
        Assert.False(FileLock.IsHeld(LockPath));
        Assert.False(FileLock.IsHeld(_directory["missing/lock"]));
        Assert.False(File.Exists(LockPath));
    }

    [Fact]
    public async Task AcquireAsync_ManyHoldersThatDeleteTheFile_NeverTwoAtOnce()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var inside = 0;
        var most = 0;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            using var held = await FileLock.AcquireAsync(LockPath, TimeSpan.FromMinutes(1), TimeProvider.System, limit.Token);
            most = Math.Max(most, Interlocked.Increment(ref inside));
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            held.DeleteFile();
        })));

        Assert.Equal(1, most);
        Assert.False(File.Exists(LockPath));
    }

    [Fact]
    public async Task AcquireAsync_HeldForTooLong_SaysWhichLock()
    {
        using var held = FileLock.TryAcquire(LockPath);

        var exception = await Assert.ThrowsAsync<IOException>(() =>
            FileLock.AcquireAsync(LockPath, TimeSpan.FromMilliseconds(20), TimeProvider.System, default));

        Assert.Contains(LockPath, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AcquireAsync_WhereNoFileCanBe_ThrowsInsteadOfWaiting() =>
        await Assert.ThrowsAsync<DirectoryNotFoundException>(() =>
            FileLock.AcquireAsync(_directory["missing/lock"], TimeSpan.FromMinutes(1), TimeProvider.System, default));
}
