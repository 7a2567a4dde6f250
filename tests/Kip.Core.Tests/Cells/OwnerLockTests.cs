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
    public void ForgetGone_TakesOldFilesOfTheDeadWithoutCells_AndNoOthers()
    {
        var clock = TimeProvider.System;
        using var living = OwnerLock.Create(_directory.Path, "run");
        foreach (var (name, age) in new[] { ("run-dead", 5), ("run-with-cells", 5), ("run-new", 0), (living.Owner, 5) })
        {
            if (name != living.Owner)
            {
                File.WriteAllText(_directory[name], "");
            }

            File.SetLastWriteTimeUtc(_directory[name], clock.GetUtcNow().UtcDateTime.AddMinutes(-age));
        }

        OwnerLock.ForgetGone(_directory.Path, new HashSet<string> { "run-with-cells" }, clock);

        Assert.Equal(new[] { living.Owner, "run-new", "run-with-cells" }.Order(), Directory.GetFiles(_directory.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void IsGone_FileLeftByAKilledProcess_IsTrue()
    {
        File.WriteAllText(_directory["run-dead"], "");

        Assert.True(OwnerLock.IsGone(_directory.Path, "run-dead"));
    }
}
