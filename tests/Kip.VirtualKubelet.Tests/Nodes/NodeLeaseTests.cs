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

        await Lease("second").AcquireAsync(default);

        Assert.InRange(_clock.Elapsed - began, TimeSpan.FromSeconds(40), TimeSpan.FromSeconds(43));
        Assert.Equal("second", (await ReadAsync()).Spec.HolderIdentity);
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
    public Task Acquire_OfAHostThatWasKilled_IsTheNextOnesWithTheSameIdentityAtOnce() => _clock.RunAsync(async () =>
    {
        await Lease("host").AcquireAsync(default);
        var began = _clock.Elapsed;

        await Lease("host").AcquireAsync(default);

        Assert.Equal(began, _clock.Elapsed);
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

    private NodeLease Lease(string holder) => new(_api, "node", holder, _clock, NullLogger.Instance);

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
