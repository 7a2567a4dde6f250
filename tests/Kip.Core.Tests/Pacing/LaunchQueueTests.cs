using Kip.Drivers;
using Kip.Pacing;
using Kip.Testing;

namespace Kip.Core.Tests.Pacing;

public class LaunchQueueTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly VirtualClock _clock = new();

    [Fact]
    public Task EnterAsync_AdmitsByPriorityThenAge() => _clock.RunAsync(async () =>
    {
        using var queue = Make();
        await queue.EnterAsync(0, Start, Unexpected, default);
        List<string> admitted = [];

        var all = Task.WhenAll(
            EnterAsync("young", 0, 30),
            EnterAsync("old", 0, 10),
            EnterAsync("same age, later", 0, 10),
            EnterAsync("important", 100, 40),
            EnterAsync("unimportant", -1, 0));
        await all;

        Assert.Equal(["important", "old", "same age, later", "young", "unimportant"], admitted);
        Assert.Equal(TimeSpan.FromSeconds(5), _clock.Elapsed);

        async Task EnterAsync(string name, int priority, int age)
        {
            await queue.EnterAsync(priority, Start.AddSeconds(age), null, default);
            lock (admitted)
            {
                admitted.Add(name);
            }
        }
    });

    [Fact]
    public Task EnterAsync_ThatHasToWait_IsToldHowManyAreBefore() => _clock.RunAsync(async () =>
    {
        using var queue = Make();
        await queue.EnterAsync(0, Start, Unexpected, default);
        List<(int Before, TimeSpan Wait)> told = [];

        var waits = new[] { 0, 0, 5, -3 }.Select(priority => queue.EnterAsync(priority, Start, (before, wait) => told.Add((before, wait)), default)).ToList();

        Assert.Equal([(0, 1), (1, 2), (0, 1), (3, 4)], told.Select(static t => (t.Before, (int)t.Wait.TotalSeconds)));
        await Task.WhenAll(waits);
    });

    [Fact]
    public Task EnterAsync_Cancelled_LeavesItsTurnToTheNext() => _clock.RunAsync(async () =>
    {
        using var queue = Make();
        await queue.EnterAsync(0, Start, Unexpected, default);
        using var source = new CancellationTokenSource();

        var cancelled = queue.EnterAsync(9, Start, null, source.Token);
        var next = queue.EnterAsync(0, Start, null, default);
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        await next;
        Assert.Equal(TimeSpan.FromSeconds(1), _clock.Elapsed);
        Assert.Equal(0, queue.Count);
    });

    [Fact]
    public Task ReturnInstance_LetsTheNextGoAtOnce() => _clock.RunAsync(async () =>
    {
        using var queue = new LaunchQueue(new CallLimits { Instances = new RateLimit(0.01, 1) }, _clock);
        await queue.EnterAsync(0, Start, Unexpected, default);

        var next = queue.EnterAsync(0, Start, null, default);
        await Task.Delay(TimeSpan.FromSeconds(3), _clock);
        Assert.False(next.IsCompleted);
        queue.ReturnInstance();
        await next;

        Assert.Equal(TimeSpan.FromSeconds(3), _clock.Elapsed);
    });

    [Fact]
    public async Task EnterAsync_WithoutLimits_NeverWaits()
    {
        using var queue = new LaunchQueue(null, _clock);
        for (var i = 0; i < 1000; i++)
        {
            await queue.EnterAsync(0, Start, Unexpected, default);
        }

        Assert.Equal(0, queue.Count);
    }

    private static void Unexpected(int before, TimeSpan wait) => Assert.Fail($"waits for {before}, {wait}");

    private LaunchQueue Make() => new(new CallLimits { Launch = new RateLimit(1, 1) }, _clock);
}
