namespace Kip.Drivers.Local.Tests;

public sealed class LocalCatalogTests
{
    private static readonly LocalCatalog Large = new(64, 1L << 40);

    [Fact]
    public void InstanceTypes_AnyTwo_LargerCostsMoreAndSpotCostsLess()
    {
        decimal Price(InstanceType type, CapacityType capacity) => type.Offerings.Single(offering => offering.CapacityType == capacity).PricePerHour!.Value;

        Assert.Equal(7, Large.Instances.Types.Count);
        foreach (var (smaller, larger) in Large.Instances.Types.Zip(Large.Instances.Types.Skip(1)))
        {
            Assert.True(smaller.MilliCpu <= larger.MilliCpu && smaller.MemoryBytes < larger.MemoryBytes && smaller.MaxDiskBytes <= larger.MaxDiskBytes);
            Assert.True(Price(smaller, CapacityType.OnDemand) < Price(larger, CapacityType.OnDemand));
            Assert.True(Price(smaller, CapacityType.Spot) < Price(smaller, CapacityType.OnDemand));
        }
    }

    [Fact]
    public void InstanceTypes_SmallMachine_OffersNothingLargerThanIt()
    {
        var catalog = new LocalCatalog(2, 5L << 30);

        Assert.Equal("local.medium", catalog.Instances.Types[^1].Name);
        var exception = Assert.Throws<DriverException>(() => catalog.Find("local.xlarge"));
        Assert.Equal(DriverErrorKind.Unsupported, exception.Kind);
        Assert.Contains("local.medium", exception.Message, StringComparison.Ordinal);
    }
}
