using System.Collections.Concurrent;
using Kip.Kubernetes.Queues;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests.Queues;

public sealed class WorkQueueTests(ITestOutputHelper output)
{
    private readonly VirtualClock _clock = new();

    [Fact]
    public Task Add_WhileWaiting_IsWorkedOnOnce() => RunAsync(async queue =>
    {
        var worked = new List<string>();
        queue.Add("a");
        queue.Add("b");
        queue.Add("a");
        await WorkAsync(queue, 1, item =>
        {
            worked.Add(item.Key);
            return null;
        });
        Assert.Equal(["a", "b"], worked);
        Assert.Equal(0, queue.Count);
    });

    [Fact]
    public Task Add_WhileWorkedOn_ComesAgainAndNeverTwiceAtOnce() => RunAsync(async queue =>
    {
        var runs = 0;
        queue.Add("a");
        await WorkAsync(queue, 4, item =>
        {
            if (++runs == 1)
            {
                queue.Add("a");
                queue.Add("a");
            }

            return null;
        });
        Assert.Equal(2, runs);
    });

    [Fact]
    public Task Work_Failing_IsTriedForEverWithGrowingPauses()
    {
        var failures = new List<WorkFailure<string>>();
        return RunAsync(
            async queue =>
            {
                var times = new List<TimeSpan>();
                queue.Add("a");
                await WorkAsync(queue, 2, item =>
                {
                    Assert.Equal(times.Count, item.Failures);
                    times.Add(_clock.Elapsed);
                    return times.Count <= 20 ? throw new InvalidOperationException("not yet") : null;
                });
                var pauses = times.Zip(times.Skip(1), (a, b) => b - a).ToList();
                Assert.Equal(20, pauses.Count);
                for (var i = 0; i < pauses.Count; i++)
                {
                    var full = TimeSpan.FromSeconds(Math.Min(300, 0.2 * Math.Pow(2, i)));
                    Assert.InRange(pauses[i], full * 0.799, full + TimeSpan.FromMilliseconds(1));
                }

                Assert.Equal(Enumerable.Range(1, 20), failures.Select(failure => failure.Failures));
                Assert.All(failures, failure => Assert.Equal("not yet", failure.Error.Message));
            },
            failures.Add);
    }

    [Fact]
    public Task Work_SucceedingAfterFailures_StartsAnew() => RunAsync(async queue =>
    {
        var seen = new List<int>();
        queue.Add("a");
        await WorkAsync(queue, 1, item =>
        {
            seen.Add(item.Failures);
            return seen.Count switch
            {
                1 or 2 => throw new InvalidOperationException(),
                3 => TimeSpan.FromHours(1),
                _ => null,
            };
        });
        Assert.Equal([0, 1, 2, 0], seen);
    });

    [Fact]
    public Task Add_DuringThePause_IsWorkedOnAtOnceAndOnlyOnce() => RunAsync(async queue =>
    {
        var times = new List<TimeSpan>();
        queue.Add("a");
        queue.AddAfter("b", TimeSpan.FromMilliseconds(50));
        await WorkAsync(queue, 1, item =>
        {
            if (item.Key == "b")
            {
                queue.Add("a");
                return null;
            }

            times.Add(_clock.Elapsed);
            return times.Count == 1 ? throw new InvalidOperationException() : null;
        });
        Assert.Equal([TimeSpan.Zero, TimeSpan.FromMilliseconds(50)], times);
    });

    [Fact]
    public Task AddAfter_Several_TheEarliestCounts() => RunAsync(async queue =>
    {
        var times = new List<TimeSpan>();
        queue.AddAfter("a", TimeSpan.FromSeconds(9));
        queue.AddAfter("a", TimeSpan.FromSeconds(3));
        queue.AddAfter("a", TimeSpan.FromSeconds(6));
        await WorkAsync(queue, 1, item =>
        {
            times.Add(_clock.Elapsed);
            return null;
        });
        Assert.Equal([TimeSpan.FromSeconds(3)], times);
    });

    [Fact]
    public async Task Run_Cancelled_EndsWhenTheWorkHasAndKeepsTheKeys()
    {
        using var queue = Create(null);
        using var stop = new CancellationTokenSource();
        var begun = new TaskCompletionSource();
        queue.Add("a");
        queue.Add("b");
        var run = queue.RunAsync(1, async (_, token) =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
            return null;
        }, stop.Token);
        await begun.Task;
        await stop.CancelAsync();
        await run.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(2, queue.Count);

        var worked = new ConcurrentBag<string>();
        await _clock.RunAsync(() => WorkAsync(queue, 1, item =>
        {
            worked.Add(item.Key);
            return null;
        }));
        Assert.Equal(["a", "b"], worked.Order());
    }

    [Fact]
    public Task RandomUse_EveryAddIsFollowedByWorkAndNoKeyHasTwoWorkers()
    {
        var seed = Environment.GetEnvironmentVariable("KIP_TEST_SEED") is { } given ? int.Parse(given, null) : Random.Shared.Next();
        output.WriteLine($"KIP_TEST_SEED={seed}");
        return RunAsync(async queue =>
        {
            var added = new long[20];
            var seen = new long[20];
            var working = new int[20];
            var random = new Random(seed);
            using var stop = new CancellationTokenSource();
            var run = queue.RunAsync(4, async (item, token) =>
            {
                var key = int.Parse(item.Key, null);
                Assert.Equal(1, Interlocked.Increment(ref working[key]));
                var promised = Interlocked.Read(ref added[key]);
                int dice;
                lock (random)
                {
                    dice = random.Next(10);
                }

                await Task.Delay(TimeSpan.FromMilliseconds(dice), _clock, token);
                Interlocked.Decrement(ref working[key]);
                if (dice < 3)
                {
                    throw new InvalidOperationException("bad luck");
                }

                Interlocked.Exchange(ref seen[key], promised);
                return dice == 9 ? TimeSpan.FromSeconds(1) : null;
            }, stop.Token);
            for (var i = 0; i < 1000; i++)
            {
                int key, delay;
                lock (random)
                {
                    key = random.Next(20);
                    delay = random.Next(30);
                }

                Interlocked.Increment(ref added[key]);
                queue.AddAfter($"{key}", TimeSpan.FromMilliseconds(delay - 10));
                await Task.Delay(TimeSpan.FromMilliseconds(1), _clock);
            }

            await _clock.AdvanceUntilAsync(() => queue.Count == 0);
            Assert.Equal(added, seen);
            await stop.CancelAsync();
            await run;
        });
    }

    [Fact]
    public void Dispose_WithKeys_ForgetsThemAndTakesNoMore()
    {
        var queue = Create(null);
        queue.Add("a");
        queue.AddAfter("b", TimeSpan.FromSeconds(1));
        queue.Dispose();
        queue.Add("c");
        Assert.Equal((0, 0), (queue.Count, _clock.PendingTimers));
    }

    private WorkQueue<string> Create(Action<WorkFailure<string>>? onFailure) =>
        new(null, _clock, new Random(1), NullLogger.Instance) { OnFailure = onFailure };

    private Task RunAsync(Func<WorkQueue<string>, Task> test, Action<WorkFailure<string>>? onFailure = null) => _clock.RunAsync(
        async () =>
        {
            using var queue = Create(onFailure);
            await test(queue);
        },
        TimeSpan.FromDays(1));

    /// <summary>Works until no key is left.</summary>
    private async Task WorkAsync(WorkQueue<string> queue, int workers, Func<WorkItem<string>, TimeSpan?> work)
    {
        using var stop = new CancellationTokenSource();
        var run = queue.RunAsync(workers, (item, _) => new(work(item)), stop.Token);
        await _clock.AdvanceUntilAsync(() => queue.Count == 0, TimeSpan.FromDays(1));
        await stop.CancelAsync();
        await run;
    }
}
