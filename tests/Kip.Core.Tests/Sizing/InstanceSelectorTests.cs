using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Core.Tests.Sizing;

public class InstanceSelectorTests
{
    private static readonly InstanceType[] Catalog =
    [
        Type("large", 4000, 16, 0.20m),
        Type("small", 1000, 2, 0.05m),
        Type("unpriced", 2000, 8, null),
        Type("medium", 2000, 8, 0.10m),
        Type("twin", 2000, 8, 0.10m),
        Type("slim", 2000, 4, 0.10m),
    ];

    [Fact]
    public void Rank_CheapestFirst_TiesByLeastWasteThenName_UnknownPriceLast()
    {
        var ranking = InstanceSelector.Rank(new ResourceRequest(1500, 3L << 30, 0), Catalog);

        Assert.Equal(["slim", "medium", "twin", "large", "unpriced"], ranking.Select(c => c.Type.Name));
    }

    [Fact]
    public void Rank_AnyOrderOfTheCatalog_GivesTheSameRanking()
    {
        var request = new ResourceRequest(1, 1, 0);

        Assert.Equal(InstanceSelector.Rank(request, Catalog), InstanceSelector.Rank(request, Catalog.Reverse()));
    }

    [Fact]
    public void Rank_DiskLargerThanTheTypeAllows_IsExcluded()
    {
        var types = new[] { Type("fixed", 1000, 1, 0.01m) with { MaxDiskBytes = 10 }, Type("any", 1000, 1, 0.02m) };

        Assert.Equal(["any"], InstanceSelector.Rank(new ResourceRequest(1, 1, 11), types).Select(c => c.Type.Name));
    }

    [Fact]
    public void Rank_Spot_TakesSpotOfferingsOnly()
    {
        var type = Type("t", 1000, 1, 0.02m);
        type = type with { Offerings = [.. type.Offerings, new Offering("zone", CapacityType.Spot, 0.01m)] };

        var candidate = Assert.Single(InstanceSelector.Rank(new ResourceRequest(1, 1, 0), [type], CapacityType.Spot));
        Assert.Equal(0.01m, candidate.Offering.PricePerHour);
    }

    [Fact]
    public void ExplainNoFit_NamesWhatWasAskedAndTheLargest()
    {
        var text = InstanceSelector.ExplainNoFit(new ResourceRequest(64_500, 512L << 30, 0), Catalog);

        Assert.Contains("64.5 vCPU and 512 GiB", text, StringComparison.Ordinal);
        Assert.Contains("large with 4 vCPU and 16 GiB", text, StringComparison.Ordinal);
    }

    private static InstanceType Type(string name, long milliCpu, long gibibytes, decimal? price) => new()
    {
        Name = name,
        MilliCpu = milliCpu,
        MemoryBytes = gibibytes << 30,
        Architecture = "amd64",
        Offerings = [new Offering("zone", CapacityType.OnDemand, price)],
    };
}
