using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Tests.Host;

public sealed class FileLockTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-lock-").FullName;

    private string LockPath => Path.Combine(_directory, "lock");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void TryAcquire_HeldElsewhereInThisProcess_IsNull()
    {
        Assert.False(FileLock.IsHeld(LockPath));
        using (FileLock.TryAcquire(LockPath))
        {
            Assert.Null(FileLock.TryAcquire(LockPath));
            Assert.True(FileLock.IsHeld(LockPath));
        }

        Assert.False(FileLock.IsHeld(LockPath));
    }

    [Fact]
    public async Task AcquireAsync_ManyHoldersThatDeleteTheFile_NeverTwoAtOnce()
    {
        var inside = 0;
        var most = 0;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            using var held = await FileLock.AcquireAsync(LockPath, TimeSpan.FromMinutes(1), TimeProvider.System, TestMachine.Limit);
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

        var exception = await Assert.ThrowsAsync<DriverException>(() =>
            FileLock.AcquireAsync(LockPath, TimeSpan.FromMilliseconds(20), TimeProvider.System, TestMachine.Limit));

        Assert.Equal(DriverErrorKind.Transient, exception.Kind);
        Assert.Contains(LockPath, exception.Message, StringComparison.Ordinal);
    }
}
