using Kip.Drivers;

namespace Kip.Testing.Tests;

public sealed class SimulatedCloudTests
{
    private readonly VirtualClock _clock = new();

    private static CancellationToken None => CancellationToken.None;

    [Fact]
    public Task LaunchAsync_Always_TakesTheStatesAtThePlannedTimes() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new()
        {
            CallTime = TimeSpan.Zero,
            Plan = _ => new InstancePlan { AddressAfter = Seconds(2), RunningAfter = Seconds(5), TerminationTime = Seconds(3) },
            TerminatedVisible = Seconds(10),
        });
        var driver = cloud.CreateDriver("controller-1");
        var launched = await driver.LaunchAsync(Launches.Make(), None);
        Assert.Equal((InstanceState.Pending, null), (launched.State, launched.Address));

        await Task.Delay(Seconds(2), _clock);
        Assert.Equal(InstanceState.Pending, (await GetAsync()).State);
        Assert.NotNull((await GetAsync()).Address);
        await Task.Delay(Seconds(3), _clock);
        Assert.Equal(InstanceState.Running, (await GetAsync()).State);

        await driver.TerminateAsync([launched.Id], None);
        Assert.Equal(InstanceState.Terminating, (await GetAsync()).State);
        await Task.Delay(Seconds(3), _clock);
        Assert.Equal(InstanceState.Terminated, (await GetAsync()).State);
        await Task.Delay(Seconds(11), _clock);
        Assert.Empty(await driver.ListAsync(None));

        async Task<Instance> GetAsync() => Assert.Single(await driver.ListAsync(None));
    });

    [Fact]
    public Task LaunchAsync_BeyondCapacity_FailsUntilThereIsRoomAgain() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud();
        cloud.SetCapacity("sim.small", "sim-1a", CapacityType.OnDemand, 1);
        var driver = cloud.CreateDriver("controller-1");
        var first = await driver.LaunchAsync(Launches.Make(), None);

        await AssertFailsAsync(DriverErrorKind.OutOfCapacity, driver.LaunchAsync(Launches.Make(), None));
        await driver.LaunchAsync(Launches.Make() with { Zone = "sim-1b" }, None);
        await driver.TerminateAsync([first.Id], None);
        await Task.Delay(Seconds(5), _clock);
        await driver.LaunchAsync(Launches.Make(), None);
    });

    [Fact]
    public Task LaunchAsync_BeyondQuota_Fails() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { Quota = 1 });
        var driver = cloud.CreateDriver("controller-1");
        await driver.LaunchAsync(Launches.Make(), None);

        await AssertFailsAsync(DriverErrorKind.Quota, driver.LaunchAsync(Launches.Make(), None));
    });

    [Fact]
    public Task ListAsync_FasterThanItsRate_IsThrottledAndRecovers() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new()
        {
            CallTime = TimeSpan.Zero,
            RateLimits = new Dictionary<CloudAction, RateLimit> { [CloudAction.List] = new(1, 2) },
        });
        var driver = cloud.CreateDriver("controller-1");
        await driver.ListAsync(None);
        await driver.ListAsync(None);

        await AssertFailsAsync(DriverErrorKind.Throttled, driver.ListAsync(None));
        await Task.Delay(Seconds(1), _clock);
        await driver.ListAsync(None);
        Assert.Equal(["ok", "ok", "Throttled", "ok"], cloud.Calls.Select(call => call.Outcome));
    });

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public Task FailNext_BeforeOrAfterEffect_LeavesWhatItSays(bool afterEffect, int instances) => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud();
        cloud.FailNext(CloudAction.Launch, new CloudFault(DriverErrorKind.Transient, afterEffect));
        var driver = cloud.CreateDriver("controller-1");
        var request = Launches.Make();

        await AssertFailsAsync(DriverErrorKind.Transient, driver.LaunchAsync(request, None));
        Assert.Equal(instances, cloud.Instances.Count);

        await cloud.CreateDriver("controller-1").LaunchAsync(request, None);
        Assert.Single(cloud.Instances);
    });

    [Fact]
    public void FailNext_AfterEffectOfLaunchWithOtherKind_IsRefused()
    {
        using var cloud = MakeCloud();
        Assert.Throws<ArgumentException>(() => cloud.FailNext(CloudAction.Launch, new CloudFault(DriverErrorKind.Quota, AfterEffect: true)));
    }

    [Fact]
    public Task Faults_Hang_EndsWithItsCancellation() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { Faults = call => call.Action == CloudAction.List ? CloudFault.Hang : null });
        using var timeout = new CancellationTokenSource(Seconds(30), _clock);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cloud.CreateDriver("controller-1").ListAsync(timeout.Token));

        Assert.Equal(Seconds(30), _clock.Elapsed);
        Assert.Equal("Canceled", Assert.Single(cloud.Calls).Outcome);
    });

    [Fact]
    public Task ListAsync_WithLag_ShowsFreshInstancesLate() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { ListLag = Seconds(3) });
        var driver = cloud.CreateDriver("controller-1");
        await driver.LaunchAsync(Launches.Make(), None);

        Assert.Empty(await driver.ListAsync(None));
        await Task.Delay(Seconds(3), _clock);
        Assert.Single(await driver.ListAsync(None));
    });

    [Fact]
    public Task Plan_WithDeath_EndsTheInstanceWithItsReason() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { Plan = _ => new InstancePlan { DiesAfter = Seconds(60), DeathReason = "spot" } });
        var driver = cloud.CreateDriver("controller-1");
        await driver.LaunchAsync(Launches.Make(), None);

        await Task.Delay(Seconds(60), _clock);
        var instance = Assert.Single(await driver.ListAsync(None));
        Assert.Equal((InstanceState.Terminated, "spot"), (instance.State, instance.StateReason));
    });

    [Fact]
    public Task TerminateAsync_OfForeignInstance_LeavesItAndIsNoted() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud();
        var foreign = cloud.Plant(new Dictionary<string, string> { ["Name"] = "database" });
        var driver = cloud.CreateDriver("controller-1");

        await driver.TerminateAsync([foreign, "i-unknown"], None);
        await Task.Delay(Seconds(60), _clock);

        Assert.True(Assert.Single(cloud.Instances).IsAlive);
        Assert.Contains(foreign, Assert.Single(cloud.Violations), StringComparison.Ordinal);
        Assert.Empty(await driver.ListAsync(None));
    });

    [Fact]
    public Task LaunchAsync_TokenWithOtherParameters_IsRefusedAndNoted() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud();
        var driver = cloud.CreateDriver("controller-1");
        var request = Launches.Make();
        await driver.LaunchAsync(request, None);

        await AssertFailsAsync(DriverErrorKind.InvalidConfiguration, driver.LaunchAsync(request with { Zone = "sim-1b" }, None));

        Assert.Single(cloud.Violations);
    });

    [Fact]
    public Task LaunchAsync_BeyondTheInstanceLimit_IsThrottled_ButNotARepeatedOne() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { CallTime = TimeSpan.Zero, InstanceLimit = new RateLimit(0.5, 2) });
        var driver = cloud.CreateDriver("controller-1");
        var first = Launches.Make();
        await driver.LaunchAsync(first, None);
        await driver.LaunchAsync(Launches.Make(), None);

        await AssertFailsAsync(DriverErrorKind.Throttled, driver.LaunchAsync(Launches.Make(), None));
        await driver.LaunchAsync(first, None);
        await Task.Delay(Seconds(2), _clock);
        await driver.LaunchAsync(Launches.Make(), None);
        Assert.Equal(3, cloud.Instances.Count);
        Assert.Equal((5, 1), (cloud.CountCalls(CloudAction.Launch), cloud.CountCalls(CloudAction.Launch, "Throttled")));
    });

    [Fact]
    public void Description_OfItsDriver_TellsTheLimitsUnlessToldNotTo()
    {
        var options = new SimulatedCloudOptions { RateLimits = SimulatedCloudOptions.Ec2RateLimits, InstanceLimit = SimulatedCloudOptions.Ec2InstanceLimit };
        using var telling = MakeCloud(options);
        using var silent = MakeCloud(options with { TellsLimits = false });
        using var unlimited = MakeCloud();

        var limits = telling.CreateDriver("controller-1").Description.Limits!;
        Assert.Equal((new RateLimit(2, 5), new RateLimit(2, 1000), new RateLimit(5, 100), new RateLimit(20, 100)), (limits.Launch, limits.Instances, limits.Terminate, limits.List));
        Assert.Null(silent.CreateDriver("controller-1").Description.Limits);
        Assert.Null(unlimited.CreateDriver("controller-1").Description.Limits);
    }

    [Fact]
    public Task ListAsync_WithOldStates_ShowsAnEndedInstanceAsRunningForAWhile() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { CallTime = TimeSpan.Zero, StateLag = Seconds(10), TerminatedVisible = Seconds(20) });
        var driver = cloud.CreateDriver("controller-1");
        var launched = await driver.LaunchAsync(Launches.Make(), None);
        await Task.Delay(Seconds(30), _clock);

        cloud.Kill(launched.Id);
        Assert.Equal(InstanceState.Terminated, Assert.Single(cloud.Instances).Instance.State);
        await Task.Delay(Seconds(9), _clock);
        Assert.Equal(InstanceState.Running, Assert.Single(await driver.ListAsync(None)).State);
        await Task.Delay(Seconds(2), _clock);
        Assert.Equal(InstanceState.Terminated, Assert.Single(await driver.ListAsync(None)).State);
        await Task.Delay(Seconds(20), _clock);
        Assert.Empty(await driver.ListAsync(None));
    });

    [Fact]
    public Task Reclaim_AnnouncesTheEndAndKeepsIt() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud();
        var driver = cloud.CreateDriver("controller-1");
        var launched = await driver.LaunchAsync(Launches.Make() with { CapacityType = CapacityType.Spot }, None);
        await Task.Delay(Seconds(30), _clock);

        cloud.Reclaim(launched.Id);
        var announced = Assert.Single(cloud.Instances);
        Assert.Equal((InstanceState.Running, _clock.GetUtcNow() + Seconds(120)), (announced.Instance.State, announced.ReclaimedAt));
        await Task.Delay(Seconds(120), _clock);

        var ended = Assert.Single(await driver.ListAsync(None));
        Assert.Equal(InstanceState.Terminated, ended.State);
        Assert.StartsWith("Server.SpotInstanceTermination", ended.StateReason, StringComparison.Ordinal);
    });

    [Fact]
    public Task WithoutHistory_WhatHasEndedIsForgotten_AndCallsAreOnlyCounted() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { KeepsHistory = false, TerminatedVisible = Seconds(10) });
        var driver = cloud.CreateDriver("controller-1");
        var first = await driver.LaunchAsync(Launches.Make(), None);
        var second = await driver.LaunchAsync(Launches.Make(), None);
        await driver.TerminateAsync([first.Id], None);
        await Task.Delay(Seconds(20), _clock);

        Assert.Equal(second.Id, Assert.Single(await driver.ListAsync(None)).Id);
        Assert.Equal(second.Id, Assert.Single(cloud.Instances).Instance.Id);
        Assert.Empty(cloud.Calls);
        Assert.Equal((2, 1, 1), (cloud.CountCalls(CloudAction.Launch, "ok"), cloud.CountCalls(CloudAction.Terminate), cloud.CountCalls(CloudAction.List)));
    });

    [Fact]
    public Task SetCapacity_OfAPool_IsFreeAgainWhenItsInstancesEnd_HoweverTheyEnd() => _clock.RunAsync(async () =>
    {
        using var cloud = MakeCloud(new() { Plan = _ => new InstancePlan { DiesAfter = Seconds(1000) } });
        cloud.SetCapacity("sim.small", "sim-1a", CapacityType.OnDemand, 3);
        var driver = cloud.CreateDriver("controller-1");
        var instances = new[] { await driver.LaunchAsync(Launches.Make(), None), await driver.LaunchAsync(Launches.Make(), None), await driver.LaunchAsync(Launches.Make(), None) };
        await AssertFailsAsync(DriverErrorKind.OutOfCapacity, driver.LaunchAsync(Launches.Make(), None));

        cloud.Kill(instances[0].Id);
        await driver.LaunchAsync(Launches.Make(), None);
        await AssertFailsAsync(DriverErrorKind.OutOfCapacity, driver.LaunchAsync(Launches.Make(), None));

        await driver.TerminateAsync([instances[1].Id], None);
        await Task.Delay(Seconds(10), _clock);
        await driver.LaunchAsync(Launches.Make(), None);
        await AssertFailsAsync(DriverErrorKind.OutOfCapacity, driver.LaunchAsync(Launches.Make(), None));

        await Task.Delay(Seconds(2000), _clock);
        for (var i = 0; i < 3; i++)
        {
            await driver.LaunchAsync(Launches.Make(), None);
        }

        await AssertFailsAsync(DriverErrorKind.OutOfCapacity, driver.LaunchAsync(Launches.Make(), None));
    });

    private static TimeSpan Seconds(int seconds) => TimeSpan.FromSeconds(seconds);

    private static async Task AssertFailsAsync(DriverErrorKind kind, Task call) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<DriverException>(() => call)).Kind);

    private SimulatedCloud MakeCloud(SimulatedCloudOptions? options = null) => new(_clock, options);
}
