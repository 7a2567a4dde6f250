using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;
using Kip.VirtualKubelet.Nodes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests.Nodes;

public sealed class NodeLeaseTests
{
    private static readonly ObjectKey Key = new(NodeLease.Namespace, "node");

    private readonly FakeKubernetesClient _api = new();
    private readonly VirtualClock _clock = new();

    [Fact]
    public Task Acquire_OfAHostThatIsGone_WaitsUntilTheLeaseWasSeenUnchangedForItsTime() => _clock.RunAsync(async () =>
    {
        await Lease("first").AcquireAsync(default);
        await _clock.AdvanceAsync(TimeSpan.FromMinutes(10));
        var began = _clock.Elapsed;

        var taken = await Lease("second").AcquireAsync(default);

        Assert.InRange(_clock.Elapsed - began, NodeLease.TakeOverAfter, NodeLease.TakeOverAfter + TimeSpan.FromSeconds(2));
        Assert.True(taken.IsForced);
        Assert.Equal("second", (await ReadAsync()).Spec.HolderIdentity);
    });

    [Fact]
    public Task Acquire_OfAHostThatIsKnownToHaveEnded_TakesItAtOnce_ByForce() => _clock.RunAsync(async () =>
    {
        await Lease("first").AcquireAsync(default);
        var began = _clock.Elapsed;

        var taken = await new NodeLease(_api, "node", "second", _clock, NullLogger.Instance) { HasEnded = static h => h == "first" }.AcquireAsync(default);

        Assert.Equal(began, _clock.Elapsed);
        Assert.True(taken.IsForced); // what it still has on its way must be refused
    });

    [Fact]
    public Task Acquire_ByAHostWhoseClockIsFast_LeavesTheNodeToTheOneThatLives() => _clock.RunAsync(async () =>
    {
        using var end = new CancellationTokenSource();
        var first = Lease("first");
        await first.AcquireAsync(default);
        var renewing = first.RunAsync(Task.FromResult(new Node()), end.Token);
        var fast = new OffsetTime(_clock, TimeSpan.FromHours(1));

        var second = new NodeLease(_api, "node", "second", fast, NullLogger.Instance).AcquireAsync(end.Token);
        await _clock.AdvanceAsync(TimeSpan.FromMinutes(10));

        Assert.False(second.IsCompleted);
        Assert.False(renewing.IsCompleted);
        Assert.Equal("first", (await ReadAsync()).Spec.HolderIdentity);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => renewing);
    });

    [Fact]
    public Task Acquire_ApiServerAwayInBetween_GivesTheHolderAllItsTimeAnew() => _clock.RunAsync(async () =>
    {
        await Lease("first").AcquireAsync(default);
        var api = _api.Another();
        var second = Lease("second", api).AcquireAsync(default);
        await _clock.AdvanceAsync(NodeLease.TakeOverAfter - TimeSpan.FromSeconds(2));
        api.Before = (_, _) => throw new KubernetesApiException("connection refused", inner: null);
        await _clock.AdvanceAsync(TimeSpan.FromMinutes(10));
        api.Before = (_, _) => Task.CompletedTask;
        var back = _clock.Elapsed;

        await second;

        Assert.InRange(_clock.Elapsed - back, NodeLease.TakeOverAfter, NodeLease.TakeOverAfter + TimeSpan.FromSeconds(3));
    });

    [Fact]
    public Task Acquire_OfAHostThatHasGivenBack_IsTheNextOnesWithinASecond() => _clock.RunAsync(async () =>
    {
        var first = Lease("first");
        await first.AcquireAsync(default);
        var second = Lease("second").AcquireAsync(default);
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(5));
        await first.ReleaseAsync(default);
        var began = _clock.Elapsed;

        Assert.False((await second).IsForced);
        Assert.InRange(_clock.Elapsed - began, TimeSpan.Zero, TimeSpan.FromSeconds(1));
    });

    [Fact]
    public Task WaitUntilSure_ApiServerAway_HoldsBackUntilItIsBackAndTheNodeIsKept() => _clock.RunAsync(async () =>
    {
        using var end = new CancellationTokenSource();
        var lease = Lease("host");
        await lease.AcquireAsync(default);
        var renewing = lease.RunAsync(Task.FromResult(new Node()), end.Token);
        await _clock.AdvanceAsync(TimeSpan.FromMinutes(1));
        Assert.True(lease.IsSure);

        _api.Before = (_, _) => throw new KubernetesApiException("connection refused", inner: null);
        await _clock.AdvanceAsync(TimeSpan.FromMinutes(10));
        var held = lease.WaitUntilSureAsync(default).AsTask();
        Assert.False(held.IsCompleted);
        _api.Before = (_, _) => Task.CompletedTask;
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(2));

        await held;
        Assert.False(renewing.IsCompleted);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => renewing);
    });

    [Fact]
    public Task WaitUntilSure_CutOffAtAnyTime_IsClosedBeforeAnotherHostTakesTheNode() => _clock.RunAsync(async () =>
    {
        for (var offset = 0; offset < 40; offset++)
        {
            var name = $"node-{offset}";
            var cut = _api.Another();
            using var end = new CancellationTokenSource();
            var first = new NodeLease(cut, name, "first", _clock, NullLogger.Instance);
            var second = new NodeLease(_api, name, "second", _clock, NullLogger.Instance);
            await first.AcquireAsync(default);
            var renewing = first.RunAsync(Task.FromResult(new Node()), end.Token);
            await _clock.AdvanceAsync(TimeSpan.FromMilliseconds(130));
            var acquiring = second.AcquireAsync(default);
            await _clock.AdvanceAsync(TimeSpan.FromMilliseconds(100 * offset));

            // Every other host's last renewal takes effect, and it does not learn of it.
            cut.Before = (_, _) => offset % 2 == 0 ? throw new KubernetesApiException("cut off", inner: null) : Task.CompletedTask;
            cut.After = _ => throw new KubernetesApiException("cut off", inner: null);
            await _clock.AdvanceAsync(TimeSpan.FromSeconds(1));
            cut.Before = (_, _) => throw new KubernetesApiException("cut off", inner: null);
            var taken = await acquiring;

            Assert.True(taken.IsForced);
            Assert.False(first.IsSure);
            cut.Before = (_, _) => Task.CompletedTask;
            cut.After = _ => { };
            await Assert.ThrowsAsync<InvalidOperationException>(() => renewing);
            Assert.True(first.IsLost);
            Assert.False(first.IsSure);
            await end.CancelAsync();
        }
    });

    [Fact]
    public Task Acquire_OfAHostThatWasKilled_IsTheNextOnesWithTheSameIdentityAtOnce() => _clock.RunAsync(async () =>
    {
        await Lease("host").AcquireAsync(default);
        var began = _clock.Elapsed;

        await Lease("host").AcquireAsync(default);

        Assert.Equal(began, _clock.Elapsed);
    });

    [Theory]
    [InlineData(2, 2)]
    [InlineData(60, 3)] // longer would cost the node its lease
    public Task Run_PutOffWithATime_ItIsObeyedAsFarAsTheLeaseAllows(int asked, int seconds) => _clock.RunAsync(async () =>
    {
        using var end = new CancellationTokenSource();
        var lease = Lease("host");
        await lease.AcquireAsync(default);
        var calls = new List<TimeSpan>();
        _api.Before = (_, _) =>
        {
            calls.Add(_clock.Elapsed);
            throw FakeKubernetesClient.Refusal(429, "TooManyRequests", TimeSpan.FromSeconds(asked));
        };
        var renewing = lease.RunAsync(Task.FromResult(new Node()), end.Token);
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(20));

        Assert.All(calls.Zip(calls.Skip(1), static (a, b) => b - a), pause => Assert.Equal(TimeSpan.FromSeconds(seconds), pause));
        Assert.InRange(calls.Count, 5, 12);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => renewing);
    });

    [Fact]
    public Task Run_ClockSetBack_EachRenewalIsLaterThanTheOneBefore() => _clock.RunAsync(async () =>
    {
        using var end = new CancellationTokenSource();
        var time = new OffsetTime(_clock, TimeSpan.Zero);
        var lease = new NodeLease(_api, "node", "host", time, NullLogger.Instance);
        await lease.AcquireAsync(default);
        var renewing = lease.RunAsync(Task.FromResult(new Node()), end.Token);
        var last = (await ReadAsync()).Spec.RenewTime;

        time.Offset = TimeSpan.FromHours(-1);
        for (var renewal = 0; renewal < 3; renewal++)
        {
            await _clock.AdvanceAsync(TimeSpan.FromSeconds(10));
            var next = (await ReadAsync()).Spec.RenewTime;
            Assert.True(next > last, $"{next:O} after {last:O}");
            last = next;
        }

        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => renewing);
    });

    private NodeLease Lease(string holder, FakeKubernetesClient? api = null) => new(api ?? _api, "node", holder, _clock, NullLogger.Instance);

    private Task<Lease> ReadAsync() => _api.GetAsync(Resources.Leases, Key, default);

    /// <summary>A machine whose clock is not right.</summary>
    private sealed class OffsetTime(VirtualClock clock, TimeSpan offset) : TimeProvider
    {
        public TimeSpan Offset { get; set; } = offset;

        public override long TimestampFrequency => clock.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow() + Offset;

        public override long GetTimestamp() => clock.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            clock.CreateTimer(callback, state, dueTime, period);
    }
}
