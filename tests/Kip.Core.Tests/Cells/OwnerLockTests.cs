using Kip.Cells;

namespace Kip.Core.Tests.Cells;

public sealed class OwnerLockTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void IsGone_WhileHeld_IsFalse_AfterwardsTrue()
    {
        string owner;
        using (var held = OwnerLock.Create(_directory.Path, "run"))
        {
            owner = held.Owner;
            Assert.False(OwnerLock.IsGone(_directory.Path, owner));
        }

        Assert.True(OwnerLock.IsGone(_directory.Path, owner));
    }

    [Fact]
    public void IsGone_FileLeftByAKilledProcess_IsTrue()
    {
        File.WriteAllText(_directory["run-dead"], "");

        Assert.True(OwnerLock.IsGone(_directory.Path, "run-dead"));
    }
}
