using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Core.Tests.Sizing;

public sealed class CustomMachineFamilyTests
{
    private static readonly CustomMachineFamily Family = new()
    {
        Family = "n2",
        Prefix = "n2-custom",
        VCpus = [2, 4, 6, 8],
        MinMebibytesPerVCpu = 512,
        MaxMebibytesPerVCpu = 8192,
        Zones = ["a", "b"],
        Prices = [new(CapacityType.OnDemand, 0.03m, 0.004m), new(CapacityType.Spot, 0.01m, 0.001m)],
    };

    [Theory]
    [InlineData(1, 0, "n2-custom-2-1024")]
    [InlineData(2001, 0, "n2-custom-4-2048")]
    [InlineData(5000, 1024, "n2-custom-6-3072")]
    [InlineData(1000, 14000, "n2-custom-2-15104")]
    [InlineData(1000, 16384, "n2-custom-4-17664")]
    [InlineData(8001, 0, null)]
    [InlineData(1000, 62000, null)]
    public void Fit_IsTheSmallestWithinTheRules(long milliCpu, long mebibytes, string? name) => Assert.Equal(name, Family.Fit(milliCpu, mebibytes << 20)?.Name);

    [Fact]
    public void Fit_LeavesThePodWhatItAskedFor()
    {
        for (var mebibytes = 1L; mebibytes < 60_000; mebibytes += 97)
        {
            var type = Family.Fit(1, mebibytes << 20)!;

            Assert.True(MemorySizes.Usable(type) >= mebibytes << 20, $"{mebibytes} MiB on {type.Name}");
        }
    }

    [Fact]
    public void Fit_CostsItsParts()
    {
        var type = Family.Fit(4000, 6L << 30)!;

        Assert.Equal("n2-custom-4-6912", type.Name);
        Assert.Equal(
            [("a", CapacityType.OnDemand), ("b", CapacityType.OnDemand), ("a", CapacityType.Spot), ("b", CapacityType.Spot)],
            type.Offerings.Select(static o => (o.Zone, o.CapacityType)));
        Assert.Equal((4 * 0.03m) + (6.75m * 0.004m), type.Offerings[0].PricePerHour);
    }

    [Fact]
    public void Fit_SharedCore_IsPaidForByItsShare()
    {
        var micro = Family with { Prefix = "e2-custom-micro", VCpus = [2], SharedMilliCpu = 250, MinMebibytesPerVCpu = 0, MaxMebibytesPerVCpu = 0, MinMebibytes = 1024, MaxMebibytes = 2048 };

        Assert.Null(micro.Fit(251, 0));
        var type = micro.Fit(250, 0)!;
        Assert.Equal(("e2-custom-micro-1024", 250L), (type.Name, type.BaselineMilliCpu));
        Assert.Equal((0.25m * 0.03m) + 0.004m, type.Offerings[0].PricePerHour);
    }

    [Theory]
    [InlineData("n2-custom-4-8192", true)]
    [InlineData("n2-custom-4-8200", false)]
    [InlineData("n2-custom-3-8192", false)]
    [InlineData("n2-custom-4-1024", false)]
    [InlineData("n2-custom-4-65536", false)]
    [InlineData("n2-custom-4", false)]
    [InlineData("n1-custom-4-8192", false)]
    [InlineData("n2-custom-x-y", false)]
    public void Find_OnlyWhatTheRulesAllow(string name, bool exists) => Assert.Equal(exists ? name : null, Family.Find(name)?.Name);
}
