using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Catalogs.Tests;

public sealed class BuiltInCatalogsTests
{
    [Theory]
    [InlineData("aws", "us-east-1", "m5.large", 0.096)]
    [InlineData("aws", "us-east-1", "t3.medium", 0.0416)]
    [InlineData("aws", "us-east-1", "c7g.xlarge", 0.145)]
    [InlineData("aws", "us-east-1", "r6i.2xlarge", 0.504)]
    [InlineData("aws", "us-east-1", "g5.xlarge", 1.006)]
    [InlineData("gce", "us-central1", "n1-standard-4", 0.19)]
    [InlineData("gce", "us-central1", "n2-standard-8", 0.3885)]
    [InlineData("gce", "us-central1", "a2-highgpu-1g", 3.6734)]
    [InlineData("azure", "eastus", "Standard_D2s_v5", 0.096)]
    [InlineData("azure", "eastus", "Standard_B2s", 0.0416)]
    [InlineData("azure", "eastus", "Standard_E4s_v5", 0.252)]
    public void Load_PricesThatEveryoneKnows_AreRight(string cloud, string region, string type, double price)
    {
        var found = BuiltInCatalogs.Open(cloud).Load(region).Find(type)!;

        Assert.Equal(Math.Round((decimal)price, 4), Math.Round(found.Offerings.First(static o => o.CapacityType == CapacityType.OnDemand).PricePerHour!.Value, 4));
    }

    [Theory]
    [InlineData("aws", 30)]
    [InlineData("azure", 50)]
    [InlineData("gce", 40)]
    public void Load_EveryRegion_IsSound(string cloud, int atLeast)
    {
        var file = BuiltInCatalogs.Open(cloud);

        Assert.Equal(cloud, file.Cloud);
        Assert.True(file.Regions.Count >= atLeast, $"{file.Regions.Count} regions");
        foreach (var region in file.Regions)
        {
            var catalog = file.Load(region);
            Assert.NotEmpty(catalog.Types);
            Assert.Distinct(catalog.Types.Select(static type => type.Name));
            foreach (var type in catalog.Types)
            {
                Assert.NotEmpty(type.Offerings);
                Assert.InRange(MemorySizes.Usable(type), 1, type.MemoryBytes);
                Assert.InRange(type.BaselineMilliCpu ?? 0, 0, type.MilliCpu);
                Assert.All(type.Offerings, offering => Assert.True(offering.PricePerHour is null || offering.Basis.Month is not null, $"{type.Name} in {region} has a price of no month"));
            }
        }
    }

    [Fact]
    public void Load_DerivedPrices_StayMarked()
    {
        var type = BuiltInCatalogs.Open("aws").Load("us-east-1").Find("m5.large")!;

        Assert.False(type.Offerings.First(static o => o.CapacityType == CapacityType.OnDemand).Basis.IsDerived);
        Assert.Equal("2025-06~", type.Offerings.First(static o => o.CapacityType == CapacityType.Spot).Basis.ToString());
    }

    [Fact]
    public void Open_UnknownCloud_NamesThoseThereAre() =>
        Assert.Equal("there is no built-in catalog of gcp; there are aws, azure, gce", Assert.Throws<CatalogException>(() => BuiltInCatalogs.Open("gcp")).Message);
}
