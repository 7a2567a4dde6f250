using Kip.Cells;
using Kip.Drivers;
using Kip.Sizing;
using Kip.Testing;

namespace Kip.Core.Tests.Cells.Standby;

public class DemandTests
{
    private readonly VirtualClock _clock = new();

    [Fact]
    public void Forecast_IsAsManyAsCame_AtTheMost_WithinTheTimeOfABoot()
    {
        var demand = new Demand(_clock);
        Arrive(demand, "small", 0.1m, 4);
        _clock.Advance(TimeSpan.FromSeconds(20));
        Arrive(demand, "small", 0.1m, 3); // within the 30 s that a boot is taken to last
        _clock.Advance(TimeSpan.FromMinutes(5));
        Arrive(demand, "small", 0.1m, 5);

        Assert.Equal(7, Assert.Single(demand.Forecast(100)).Value.Count);
    }

    [Fact]
    public void Forecast_AfterFasterBoots_NeedsFewer()
    {
        var demand = new Demand(_clock);
        for (var i = 0; i < 100; i++)
        {
            demand.Booted(TimeSpan.FromSeconds(2));
        }

        for (var second = 0; second < 60; second++)
        {
            Arrive(demand, "small", 0.1m, 1);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(demand.LeadTime.TotalSeconds, 2, 2.1);
        Assert.Equal(3, Assert.Single(demand.Forecast(100)).Value.Count);
    }

    [Fact]
    public void Forecast_OfOnePod_OrOfHalfAnHourAgo_IsNothing()
    {
        var demand = new Demand(_clock);
        Arrive(demand, "once", 0.1m, 1);
        Arrive(demand, "before", 0.1m, 10);
        Assert.Equal("before", Assert.Single(demand.Forecast(100)).Key.InstanceType);

        _clock.Advance(TimeSpan.FromMinutes(30));

        Assert.Empty(demand.Forecast(100));
    }

    [Fact]
    public void Forecast_KeepsWithinTheBudget_AndServesTheMostPodsForADollarFirst()
    {
        var demand = new Demand(_clock);
        Arrive(demand, "dear", 1m, 10);
        Arrive(demand, "cheap", 0.1m, 10);

        var counts = demand.Forecast(2.5m).ToDictionary(static w => w.Key.InstanceType, static w => w.Value.Count);

        Assert.Equal(new Dictionary<string, int> { ["cheap"] = 10, ["dear"] = 1 }, counts);
    }

    [Fact]
    public void Arrived_WithoutAPrice_IsNotForeseen()
    {
        var demand = new Demand(_clock);
        Arrive(demand, "unknown", null, 10);

        Assert.Empty(demand.Forecast(100));
    }

    private static void Arrive(Demand demand, string type, decimal? price, int count)
    {
        var offering = new Offering("a", CapacityType.OnDemand, price);
        var chosen = new Candidate(
            new InstanceType { Name = type, MilliCpu = 1000, MemoryBytes = 1 << 30, Architecture = "amd64", Offerings = [offering] }, offering, 0);
        for (var i = 0; i < count; i++)
        {
            demand.Arrived(chosen, new StandbyPlan(new CellRequest { Pod = new ResourceRequest(0, 0, 0) }, []));
        }
    }
}
