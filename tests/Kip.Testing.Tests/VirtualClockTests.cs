namespace Kip.Testing.Tests;

public sealed class VirtualClockTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly VirtualClock _clock = new();

    [Fact]
    public void Advance_Always_MovesUtcNowAndTimestampAlike()
    {
        var (now, timestamp) = (_clock.GetUtcNow(), _clock.GetTimestamp());

        _clock.Advance(TimeSpan.FromMinutes(3));

        Assert.Equal(TimeSpan.FromMinutes(3), _clock.GetUtcNow() - now);
        Assert.Equal(TimeSpan.FromMinutes(3), _clock.GetElapsedTime(timestamp));
        Assert.Equal(TimeSpan.FromMinutes(3), _clock.Elapsed);
    }

    [Fact]
    public void Advance_OverSeveralTimers_RunsThemInOrderAtTheirTimes()
    {
        List<(string Name, TimeSpan At)> fired = [];
        using var late = MakeTimer("late", 2 * Second);
        using var early = MakeTimer("early", Second);
        using var tooLate = MakeTimer("too late", 5 * Second);
        using var alsoEarly = MakeTimer("also early", Second);

        _clock.Advance(3 * Second);

        Assert.Equal([("early", Second), ("also early", Second), ("late", 2 * Second)], fired);
        Assert.Equal(1, _clock.PendingTimers);

        ITimer MakeTimer(string name, TimeSpan due) => _clock.CreateTimer(_ => fired.Add((name, _clock.Elapsed)), null, due, Timeout.InfiniteTimeSpan);
    }

    [Fact]
    public void CreateTimer_WithPeriod_FiresOncePerPeriodUntilDisposed()
    {
        var fired = 0;
        var timer = _clock.CreateTimer(_ => fired++, null, Second, 2 * Second);

        _clock.Advance(5 * Second);
        timer.Dispose();
        _clock.Advance(5 * Second);

        Assert.Equal(3, fired);
        Assert.False(timer.Change(Second, Second));
        Assert.Equal(0, _clock.PendingTimers);
    }

    [Fact]
    public void Change_OfPendingTimer_ReplacesItsTime()
    {
        var fired = 0;
        using var timer = _clock.CreateTimer(_ => fired++, null, Second, Timeout.InfiniteTimeSpan);

        timer.Change(3 * Second, Timeout.InfiniteTimeSpan);
        _clock.Advance(2 * Second);
        Assert.Equal(0, fired);
        _clock.Advance(Second);
        Assert.Equal(1, fired);
    }

    [Fact]
    public async Task CreateTimer_DueAtOnce_FiresWithoutAnAdvance()
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var timer = _clock.CreateTimer(_ => fired.SetResult(), null, TimeSpan.Zero, Timeout.InfiniteTimeSpan);

        await fired.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(TimeSpan.Zero, _clock.Elapsed);
    }

    [Fact]
    public async Task DisposeAsync_WhileTheCallbackRuns_WaitsForIt()
    {
        using var entered = new SemaphoreSlim(0);
        using var leave = new SemaphoreSlim(0);
        var timer = _clock.CreateTimer(
            _ =>
            {
                entered.Release();
                leave.Wait();
            },
            null,
            Second,
            Timeout.InfiniteTimeSpan);
        var advance = Task.Run(() => _clock.Advance(Second));
        Assert.True(await entered.WaitAsync(TimeSpan.FromSeconds(30)));

        var disposal = timer.DisposeAsync().AsTask();
        Assert.False(disposal.IsCompleted);
        leave.Release();

        await disposal.WaitAsync(TimeSpan.FromSeconds(30));
        await advance;
    }

    [Fact]
    public void CancellationTokenSource_WithDelay_IsCancelledAtItsTime()
    {
        using var source = new CancellationTokenSource(Second, _clock);

        _clock.Advance(Second - TimeSpan.FromTicks(1));
        Assert.False(source.IsCancellationRequested);
        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.True(source.IsCancellationRequested);
    }

    [Fact]
    public async Task RunAsync_OfCodeThatWaits_JumpsFromTimerToTimer()
    {
        List<TimeSpan> ticks = [];

        await _clock.RunAsync(async () =>
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMinutes(5), _clock);
            while (ticks.Count < 4 && await timer.WaitForNextTickAsync())
            {
                await Task.Delay(Second, _clock);
                ticks.Add(_clock.Elapsed);
            }
        });

        Assert.Equal([5 * 60, 10 * 60, 15 * 60, 20 * 60], ticks.Select(tick => (int)(tick - Second).TotalSeconds));
    }

    [Fact]
    public async Task RunAsync_WithWorkOnThePool_DoesNotJumpPastIt()
    {
        // 20 tasks compute while a time-out of a second is pending: none may see it expire.
        await _clock.RunAsync(async () =>
        {
            using var timeout = new CancellationTokenSource(Second, _clock);
            await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(
                () =>
                {
                    for (var i = 0; i < 10; i++)
                    {
                        Thread.SpinWait(5_000);
                        timeout.Token.ThrowIfCancellationRequested();
                    }
                },
                CancellationToken.None)));
        });

        Assert.Equal(TimeSpan.Zero, _clock.Elapsed);
    }

    [Fact]
    public async Task RunAsync_WhenTheSimulationThrows_ThrowsThat()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => _clock.RunAsync(async () =>
        {
            await Task.Delay(Second, _clock);
            throw new InvalidOperationException("wanted");
        }));

        Assert.Equal("wanted", error.Message);
    }

    [Fact]
    public async Task AdvanceUntilAsync_WhenTheTimeRunsOut_SaysWhatItWaitedFor()
    {
        using var timer = _clock.CreateTimer(_ => { }, null, Second, Second);
        var podIsReady = false;

        var error = await Assert.ThrowsAsync<TimeoutException>(() => _clock.AdvanceUntilAsync(() => podIsReady, within: 10 * Second));

        Assert.Contains("podIsReady", error.Message, StringComparison.Ordinal);
        Assert.Equal(10 * Second, _clock.Elapsed);
    }

    [Fact]
    public async Task AdvanceUntilAsync_WhenNothingIsPending_SaysThatNothingHappens()
    {
        var clock = new VirtualClock { Patience = TimeSpan.FromMilliseconds(50) };
        var error = await Assert.ThrowsAsync<TimeoutException>(
            () => clock.AdvanceUntilAsync(new TaskCompletionSource().Task, what: "the lost answer"));

        Assert.Contains("Nothing happened", error.Message, StringComparison.Ordinal);
        Assert.Contains("the lost answer", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AdvanceUntilAsync_WhenTheConditionHolds_StandsAtThatTime()
    {
        var done = false;
        using var timer = _clock.CreateTimer(_ => done = true, null, 7 * Second, Second);

        await _clock.AdvanceUntilAsync(() => done);

        Assert.Equal(7 * Second, _clock.Elapsed);
    }

    [Fact]
    public async Task AdvanceAsync_OverLoopWithDelays_LetsEachRoundRun()
    {
        using var stop = new CancellationTokenSource();
        var rounds = 0;
        var loop = Task.Run(async () =>
        {
            while (true)
            {
                await Task.Delay(Second, _clock, stop.Token);
                await Task.Yield();
                rounds++;
            }
        });
        await _clock.AdvanceUntilAsync(() => _clock.PendingTimers == 1);

        await _clock.AdvanceAsync(10 * Second);

        Assert.Equal(10, rounds);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loop);
    }

    [Fact]
    public async Task Hold_WhileHeld_KeepsTheClockFromJumping()
    {
        var hold = _clock.Hold();
        using var timer = _clock.CreateTimer(_ => { }, null, Second, Second);

        var wait = _clock.AdvanceUntilAsync(() => _clock.Elapsed > TimeSpan.Zero);
        await Task.WhenAny(wait, Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System));
        Assert.Equal(TimeSpan.Zero, _clock.Elapsed);

        hold.Dispose();
        await wait;
    }
}
