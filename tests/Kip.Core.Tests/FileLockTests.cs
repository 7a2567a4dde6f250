namespace Kip.Core.Tests;

public sealed class FileLockTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void TryAcquire_HeldByAnother_IsNull_UntilItIsLetGo()
    {
        var held = FileLock.TryAcquire(_directory["lock"]);
        Assert.NotNull(held);
        Assert.Null(FileLock.TryAcquire(_directory["lock"]));

        held.Dispose();

        using var again = FileLock.TryAcquire(_directory["lock"]);
        Assert.NotNull(again);
    }

    [Fact]
    public async Task Acquire_WhereNoFileCanBe_ThrowsInsteadOfWaitingForEver() =>
        await Assert.ThrowsAnyAsync<IOException>(() => FileLock.AcquireAsync(_directory["missing/lock"], TimeProvider.System, default));
}
