using System.Text;
using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Core.Tests.Sizing;

public sealed class GoInstanceDataTests
{
    private const string Good = """
        {"us-east-1": [
          {"instanceType": "t3.nano", "price": 0.0052, "spotPrice": 0.0016, "memory": 0.5, "cpu": 2, "gpu": 0, "burstable": true, "baseline": 0.1, "generation": "current"},
          {"instanceType": "p3.2xlarge", "price": 3.06, "memory": 61, "cpu": 8, "gpu": 1, "burstable": false, "baseline": 8},
          {"instanceType": "odd.large", "price": 0, "memory": 4, "cpu": 2}
        ]}
        """;

    [Fact]
    public void Load_Good_IsACatalog()
    {
        var catalog = Load(Good, "us-east-1");

        Assert.Equal(["t3.nano", "p3.2xlarge", "odd.large"], catalog.Types.Select(static t => t.Name));
        var nano = catalog.Types[0];
        Assert.Equal(("amd64", 2000L, 100L, 512L << 20), (nano.Architecture, nano.MilliCpu, nano.BaselineMilliCpu, nano.MemoryBytes));
        Assert.Equal([(CapacityType.OnDemand, 0.0052m), (CapacityType.Spot, 0.0016m)], nano.Offerings.Select(static o => (o.CapacityType, o.PricePerHour!.Value)));
        Assert.Equal(1, catalog.Types[1].Gpus!.Count);
        Assert.Null(catalog.Types[2].Offerings[0].PricePerHour);
    }

    [Theory]
    [InlineData("\"cpu\": 8", "\"cpu\": \"8\"", "file: us-east-1[1].cpu: \"8\" is not a number from 0 to a million")]
    [InlineData("\"cpu\": 8", "\"cpus\": 8", "file: us-east-1[1].cpu: is missing")]
    [InlineData("\"memory\": 61", "\"memory\": -1", "file: us-east-1[1].memory: -1 is not a number from 0 to a million")]
    [InlineData("\"instanceType\": \"p3.2xlarge\"", "\"instanceType\": 3", "file: us-east-1[1].instanceType: 3 is not a text")]
    [InlineData("us-east-1", "us-east-2", "file: there is no region us-east-1; there are us-east-2")]
    [InlineData("]}", "", "file: is no JSON: line 5, column 1: ")]
    public void Load_Wrong_SaysWhere(string good, string bad, string message) =>
        Assert.StartsWith(message, Assert.Throws<CatalogException>(() => Load(Good.Replace(good, bad, StringComparison.Ordinal), "us-east-1")).Message, StringComparison.Ordinal);

    private static InstanceCatalog Load(string json, string region) => CatalogFile.Load(new MemoryStream(Encoding.UTF8.GetBytes(json)), "file", region);
}
