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
    public async Task Take_ByTwo_TheSecondIsTold_UntilTheFirstHasEnded()
    {
        using (await OwnerLock.TakeAsync(_directory.Path, "node-a", TimeProvider.System, default))
        {
            var exception = await Assert.ThrowsAsync<IOException>(() => OwnerLock.TakeAsync(_directory.Path, "node-a", TimeProvider.System, default));
            Assert.StartsWith("another process is node-a: ", exception.Message, StringComparison.Ordinal);
        }

        using var next = await OwnerLock.TakeAsync(_directory.Path, "node-a", TimeProvider.System, default);
        Assert.False(OwnerLock.IsGone(_directory.Path, "node-a"));
    }

    [Fact]
    public async Task Take_WhileOthersComeAndGo_IsNeverTwoAtOnce()
    {
        var (inside, taken) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < 25; i++)
            {
                try
                {
                    using var held = await OwnerLock.TakeAsync(_directory.Path, "node-a", TimeProvider.System, default);
                    Assert.Equal(1, Interlocked.Increment(ref inside));
                    Interlocked.Increment(ref taken);
                    await Task.Yield();
                    Interlocked.Decrement(ref inside);
                }
                catch (IOException)
                {
                    // The others had it for too long.
                }
            }
        })));

        Assert.InRange(taken, 1, int.MaxValue);
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
