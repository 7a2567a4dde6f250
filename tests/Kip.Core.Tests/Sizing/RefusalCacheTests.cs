using Kip.Drivers;
using Kip.Sizing;
using Kip.Testing;

namespace Kip.Core.Tests.Sizing;

public sealed class RefusalCacheTests
{
    private readonly VirtualClock _time = new();

    [Theory]
    [InlineData(DriverErrorKind.OutOfCapacity, 3)]
    [InlineData(DriverErrorKind.Quota, 5)]
    [InlineData(DriverErrorKind.Unsupported, 60)]
    public async Task Find_WithinItsTime_IsThere(DriverErrorKind kind, int minutes)
    {
        var refusals = new RefusalCache(_time);
        refusals.Add(kind, "t", "a", CapacityType.Spot);

        await _time.AdvanceAsync(TimeSpan.FromMinutes(minutes) - TimeSpan.FromSeconds(1));
        Assert.Equal(kind, refusals.Find("t", "a", CapacityType.Spot)!.Kind);

        await _time.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Null(refusals.Find("t", "a", CapacityType.Spot));
    }

    [Fact]
    public void Find_SomethingElse_IsNotRefused()
    {
        var refusals = new RefusalCache(_time);
        refusals.Add(DriverErrorKind.OutOfCapacity, "t", "a", CapacityType.Spot);

        Assert.Null(refusals.Find("u", "a", CapacityType.Spot));
        Assert.Null(refusals.Find("t", "b", CapacityType.Spot));
        Assert.Null(refusals.Find("t", "a", CapacityType.OnDemand));
    }

    [Fact]
    public void Find_AfterAQuota_IsRefusedInEveryZone()
    {
        var refusals = new RefusalCache(_time);
        refusals.Add(DriverErrorKind.Quota, "t", "a", CapacityType.Spot);

        Assert.Equal(DriverErrorKind.Quota, refusals.Find("t", "b", CapacityType.Spot)!.Kind);
        Assert.Null(refusals.Find("t", "b", CapacityType.OnDemand));
    }

    [Theory]
    [InlineData(DriverErrorKind.Transient)]
    [InlineData(DriverErrorKind.Throttled)]
    [InlineData(DriverErrorKind.Unauthorized)]
    public void Add_WhatSaysNothingOfTheType_IsNotRemembered(DriverErrorKind kind)
    {
        var refusals = new RefusalCache(_time);
        refusals.Add(kind, "t", "a", CapacityType.Spot);

        Assert.Null(refusals.Find("t", "a", CapacityType.Spot));
    }
}
