using Kip.Agent.Logs;
using Kip.Agent.Status;
using Kip.Testing;

namespace Kip.Agent.Tests.Logs;

public sealed class LogFollowersTests : IDisposable
{
    private static readonly TimeSpan _soon = TimeSpan.FromMilliseconds(11);
    private static readonly TimeSpan _afterSilence = TimeSpan.FromMilliseconds(101);
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-log-test-").FullName;
    private readonly VirtualClock _clock = new();
    private readonly LogFollowers _followers;

    public LogFollowersTests() => _followers = new LogFollowers(new StatusBoard(_clock), _clock);

    private string File0 => Path.Combine(_directory, "0.log");

    [Fact]
    public async Task Changed_WhateverHappensToTheFile_IsSeenSoon()
    {
        using var share = _followers.Follow(File0);
        await SeeAsync(share, () => File.WriteAllText(File0, "a"), _soon);
        await SeeAsync(share, () => File.AppendAllText(File0, "b"), _soon);
        await SeeAsync(share, () => File.Move(File0, File0 + ".1"), _soon);
        await SeeAsync(share, () => File.WriteAllText(File0, "c"), _soon);
        await SeeAsync(share, () => File.WriteAllText(File0, ""), _soon);
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(10));

        await SeeAsync(share, () => File.WriteAllText(File0, "d"), _afterSilence);
    }

    [Fact]
    public async Task Changed_NothingHappens_WakesNobody()
    {
        using var share = _followers.Follow(File0);
        var changed = share.Follower.Changed;

        await _clock.AdvanceAsync(TimeSpan.FromSeconds(10));

        Assert.False(changed.IsCompleted);
        Assert.Equal(1, _clock.PendingTimers);
    }

    [Fact]
    public async Task Follow_AfterTheLastFollowerHasGone_LooksAgain()
    {
        var (first, second) = (_followers.Follow(File0), _followers.Follow(File0));
        Assert.Same(first.Follower, second.Follower);
        first.Dispose();
        await SeeAsync(second, () => File.WriteAllText(File0, "a"), _soon);
        second.Dispose();
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(0, _clock.PendingTimers);

        using var third = _followers.Follow(File0);
        await SeeAsync(third, () => File.AppendAllText(File0, "b"), _soon);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private async Task SeeAsync(LogFollowers.Share share, Action change, TimeSpan within)
    {
        var changed = share.Follower.Changed;
        change();
        await _clock.AdvanceUntilAsync(changed, within);
    }
}
