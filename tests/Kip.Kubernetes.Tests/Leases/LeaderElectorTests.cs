using Kip.Kubernetes.Client;
using Kip.Kubernetes.Leases;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Kubernetes.Tests.Leases;

public sealed class LeaderElectorTests
{
    private static readonly ObjectKey Key = new("n", "l");

    private readonly VirtualClock _clock = new();
    private readonly FakeKubernetesClient _api = new();

    [Fact]
    public Task Run_NoLease_MakesItAndLeadsAndGivesItBack() => _clock.RunAsync(async () =>
    {
        var elector = Elector("a");
        var led = false;
        await elector.RunAsync(async _ =>
        {
            led = true;
            var spec = (await _api.GetAsync(Resources.Leases, Key, default)).Spec;
            Assert.Equal(("a", 15, 0, _clock.GetUtcNow()), (spec.HolderIdentity, spec.LeaseDurationSeconds, spec.LeaseTransitions, spec.RenewTime));
            Assert.Equal("a", elector.Holder);
        }, default);
        Assert.True(led);
        Assert.Equal("", (await _api.GetAsync(Resources.Leases, Key, default)).Spec.HolderIdentity);
        Assert.Null(elector.Holder);
    });

    [Fact]
    public Task Run_HeldForLong_IsRenewed() => _clock.RunAsync(async () =>
    {
        await Elector("a").RunAsync(
            async token =>
            {
                await Task.Delay(TimeSpan.FromMinutes(10), _clock, token);
                Assert.True(_clock.GetUtcNow() - (await _api.GetAsync(Resources.Leases, Key, default)).Spec.RenewTime < TimeSpan.FromSeconds(3));
            },
            default);
        Assert.Equal(0, (await _api.GetAsync(Resources.Leases, Key, default)).Spec.LeaseTransitions);
    });

    [Fact]
    public Task Run_SecondCandidate_TakesOverAtOnceWhenTheLeaseIsGivenBack() => _clock.RunAsync(async () =>
    {
        using var stopA = new CancellationTokenSource();
        var a = Leader("a", stopA.Token);
        await a.Leads.Task;
        using var stopB = new CancellationTokenSource();
        var b = Leader("b", stopB.Token);
        await Task.Delay(TimeSpan.FromMinutes(5), _clock);
        Assert.False(b.Leads.Task.IsCompleted);
        var began = _clock.Elapsed;
        await stopA.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => a.Run);
        await b.Leads.Task;
        Assert.InRange(_clock.Elapsed - began, TimeSpan.Zero, TimeSpan.FromSeconds(3));
        Assert.Equal(("b", 1), await HolderAsync());
        await stopB.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => b.Run);
    });

    [Fact]
    public Task Run_LeaderCutOff_StopsBeforeTheOtherLeads() => _clock.RunAsync(async () =>
    {
        var cut = false;
        using var stop = new CancellationTokenSource();
        var cutOff = _api.Another();
        cutOff.Before = (_, token) => cut ? Task.Delay(Timeout.InfiniteTimeSpan, _clock, token) : Task.CompletedTask;
        var a = Leader("a", stop.Token, cutOff);
        await a.Leads.Task;
        var b = Leader("b", stop.Token);
        await Task.Delay(TimeSpan.FromMinutes(1), _clock);
        cut = true;
        await b.Leads.Task;
        Assert.True(a.Stopped.Task.IsCompleted);
        Assert.InRange(b.LeadsSince - a.StoppedAt, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(12));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(a.Run, b.Run));
    });

    [Fact]
    public Task Run_LeaseTakenByForce_TheLeaderStopsAndWaitsItsTurn() => _clock.RunAsync(async () =>
    {
        using var stop = new CancellationTokenSource();
        var a = Leader("a", stop.Token);
        await a.Leads.Task;
        var lease = await _api.GetAsync(Resources.Leases, Key, default);
        lease.Spec.HolderIdentity = "thief";
        await _api.ReplaceAsync(Resources.Leases, lease, null, default);
        await a.Stopped.Task;
        Assert.Equal("thief", a.Elector.Holder);
        Assert.InRange(a.StoppedAt, TimeSpan.Zero, TimeSpan.FromSeconds(3));
        await _clock.AdvanceUntilAsync(() => a.Terms == 2);
        Assert.InRange(_clock.Elapsed, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(22));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => a.Run);
    });

    [Fact]
    public Task Run_LeaseDeleted_TheLeaderMakesItAgain() => _clock.RunAsync(async () =>
    {
        using var stop = new CancellationTokenSource();
        var a = Leader("a", stop.Token);
        await a.Leads.Task;
        await _api.DeleteAsync(Resources.Leases, Key, null, default);
        await Task.Delay(TimeSpan.FromSeconds(30), _clock);
        Assert.Equal("a", (await HolderAsync()).Holder);
        Assert.Equal(1, a.Terms);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => a.Run);
    });

    [Fact]
    public Task Run_OwnLeaseOfAnEarlierLife_IsTakenUpAtOnce() => _clock.RunAsync(async () =>
    {
        await _api.CreateAsync(
            Resources.Leases, new() { Metadata = { Namespace = "n", Name = "l" }, Spec = { HolderIdentity = "a", LeaseDurationSeconds = 15 } }, default);
        await Elector("a").RunAsync(_ => Task.CompletedTask, default);
        Assert.Equal(TimeSpan.Zero, _clock.Elapsed);
    });

    [Fact]
    public Task Run_LeaderThrows_GivesTheLeaseBackAndThrows() => _clock.RunAsync(async () =>
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() => Elector("a").RunAsync(_ => throw new InvalidOperationException("bad"), default));
        Assert.Equal("", (await HolderAsync()).Holder);
    });

    [Fact]
    public Task Run_ManyCandidatesAndFaults_NeverTwoLeaders() => _clock.RunAsync(async () =>
    {
        var random = new Random(5);
        _api.Before = (_, _) =>
        {
            lock (random)
            {
                return random.Next(4) == 0 ? throw FakeKubernetesClient.Refusal(500, "InternalError") : Task.CompletedTask;
            }
        };
        using var stop = new CancellationTokenSource();
        var leaders = 0;
        var most = 0;
        var terms = 0;
        var runs = Enumerable.Range(0, 5).Select(i => Elector($"c{i}").RunAsync(
            async token =>
            {
                InterlockedMax(ref most, Interlocked.Increment(ref leaders));
                Interlocked.Increment(ref terms);
                try
                {
                    await Task.Delay(TimeSpan.FromSeconds(40), _clock, token);
                }
                finally
                {
                    Interlocked.Decrement(ref leaders);
                }
            },
            stop.Token)).ToList();
        await _clock.AdvanceUntilAsync(() => runs.Count(run => run.IsCompleted) >= 4);
        Assert.Equal(1, most);
        Assert.True(terms >= 4);
        await stop.CancelAsync();
        foreach (var run in runs)
        {
            await run.ContinueWith(static _ => { }, TaskScheduler.Default);
        }
    });

    [Theory]
    [InlineData(15, 10, 10)]
    [InlineData(10, 10, 2)]
    [InlineData(15, 10, 0)]
    public void Times_OutOfOrder_AreRefused(int duration, int deadline, int retry) => Assert.Throws<ArgumentException>(() => new LeaderElector(
        _api,
        new()
        {
            Lease = Key,
            Identity = "a",
            LeaseDuration = TimeSpan.FromSeconds(duration),
            RenewDeadline = TimeSpan.FromSeconds(deadline),
            RetryPeriod = TimeSpan.FromSeconds(retry),
        },
        _clock,
        new Random(1),
        NullLogger<LeaderElector>.Instance));

    private static void InterlockedMax(ref int most, int value)
    {
        int seen;
        while (value > (seen = Volatile.Read(ref most)) && Interlocked.CompareExchange(ref most, value, seen) != seen)
        {
        }
    }

    private LeaderElector Elector(string identity, IKubernetesClient? client = null) =>
        new(client ?? _api, new() { Lease = Key, Identity = identity }, _clock, new Random(1), NullLogger<LeaderElector>.Instance);

    private Term Leader(string identity, CancellationToken cancellationToken, IKubernetesClient? client = null)
    {
        var term = new Term(Elector(identity, client));
        term.Run = Task.Run(() => term.Elector.RunAsync(
            async token =>
            {
                term.Terms++;
                term.LeadsSince = _clock.Elapsed;
                term.Leads.TrySetResult();
                try
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, _clock, token);
                }
                finally
                {
                    term.StoppedAt = _clock.Elapsed;
                    term.Stopped.TrySetResult();
                }
            },
            cancellationToken));
        return term;
    }

    private async Task<(string? Holder, int? Transitions)> HolderAsync()
    {
        var spec = (await _api.GetAsync(Resources.Leases, Key, default)).Spec;
        return (spec.HolderIdentity, spec.LeaseTransitions);
    }

    private sealed class Term(LeaderElector elector)
    {
        public LeaderElector Elector => elector;

        public TaskCompletionSource Leads { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Stopped { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Run { get; set; } = Task.CompletedTask;

        public TimeSpan LeadsSince { get; set; }

        public TimeSpan StoppedAt { get; set; }

        public int Terms { get; set; }
    }
}
