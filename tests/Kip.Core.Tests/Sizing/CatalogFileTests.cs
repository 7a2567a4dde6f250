using System.IO.Compression;
using System.Text;
using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Core.Tests.Sizing;

public sealed class CatalogFileTests
{
    private const string Good = """
        kip-catalog 1
        cloud test
        zones {region}-{zone}
        [types]
        name,architecture,milli_cpu,baseline_milli_cpu,burst_usd,mib,usable_mib,local_gib,gpu_resource,gpu_model,gpus,gpu_mib,devices,network_mbps,addresses,traits
        t.small,amd64,2000,400,0.05,4096,3800,,,,,,,128,6,
        g.large,arm64,8000,,,32768,,116.4,nvidia.com/gpu,T4,2,16384,example.com/a=1 example.com/b=2,,,previous-generation bare-metal
        unused,amd64,1000,,,1024,,,,,,,,,,
        [offerings east]
        type,zones,on_demand_usd,on_demand_basis,spot_usd,spot_basis
        t.small,a b,0.04,2026-07,0.01,2025-06~
        g.large,,?,,,
        [custom east]
        family,prefix,architecture,vcpus,min_mib_per_vcpu,max_mib_per_vcpu,min_mib,max_mib,step_mib,shared_milli_cpu,zones,on_demand_vcpu_usd,on_demand_gib_usd,spot_vcpu_usd,spot_gib_usd,basis
        n1,custom,amd64,1 2-6/2,922,6656,,,256,,a,0.03,0.004,,,2026-07~
        [gpus east]
        resource,model,count,mib,family,max_vcpus,max_gib,zones,on_demand_usd,spot_usd,basis
        nvidia.com/gpu,nvidia-tesla-t4,1,16384,n1,48,312,a,0.35,?,2025-04
        [offerings west]
        type,zones,on_demand_usd,on_demand_basis,spot_usd,spot_basis
        [end]

        """;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Load_Good_HasAllThatIsInTheFile(bool packed)
    {
        var file = Read(Good, packed);
        var catalog = file.Load("east");

        Assert.Equal(("test", "east west"), (file.Cloud, string.Join(' ', file.Regions)));
        Assert.Equal(["t.small", "g.large"], catalog.Types.Select(static t => t.Name));
        var small = catalog.Find("t.small")!;
        Assert.Equal(
            ("amd64", 2000L, 400L, 0.05m, 4096L << 20, 3800L << 20, 128, 6),
            (small.Architecture, small.MilliCpu, small.BaselineMilliCpu, small.BurstPricePerCpuHour, small.MemoryBytes, small.UsableMemoryBytes, small.NetworkMegabits, small.Addresses));
        Assert.Equal(
            [("east-a", CapacityType.OnDemand, 0.04m, "2026-07"), ("east-b", CapacityType.OnDemand, 0.04m, "2026-07"), ("east-a", CapacityType.Spot, 0.01m, "2025-06~"), ("east-b", CapacityType.Spot, 0.01m, "2025-06~")],
            small.Offerings.Select(static o => (o.Zone, o.CapacityType, o.PricePerHour!.Value, o.Basis.ToString())));
        var large = catalog.Find("g.large")!;
        Assert.Equal(new GpuDevices("nvidia.com/gpu", "T4", 2, 16L << 30), large.Gpus);
        Assert.Equal(2, large.Devices["example.com/b"]);
        Assert.Equal(InstanceTypeTraits.PreviousGeneration | InstanceTypeTraits.BareMetal, large.Traits);
        Assert.Equal(new Offering("", CapacityType.OnDemand, null), Assert.Single(large.Offerings));
        Assert.Equal([1, 2, 4, 6], Assert.Single(catalog.CustomFamilies).VCpus);
        Assert.Equal((0.35m, (decimal?)null), (Assert.Single(catalog.GpuAttachments).OnDemandPerHour!.Value, catalog.GpuAttachments[0].SpotPerHour));
        Assert.Empty(file.Load("west").Types);
    }

    [Fact]
    public void Load_UnknownRegion_NamesTheNearest() =>
        Assert.Equal("there is no region eats of test (did you mean east?)", Assert.Throws<CatalogException>(() => Read(Good).Load("eats")).Message);

    [Theory]
    [InlineData("kip-catalog 1", "kip-catalog 2", "file: line 1: must be 'kip-catalog 1', not 'kip-catalog 2'")]
    [InlineData("cloud test", "clod test", "file: line 2: must be 'cloud …', not 'clod test'")]
    [InlineData("[end]", "", "file: line 22: is not complete: the line [end] is missing")]
    [InlineData("[offerings west]", "[offers west]", "file: line 19: '[offers west]' is not the title of a table: [types], [offerings region], [custom region], [gpus region] or [end]")]
    [InlineData("[offerings west]", "[offerings east]", "file: line 19: the table [offerings east] is there twice")]
    [InlineData("[types]", "[gpus x]", "file: the table [types] is missing")]
    public void Read_WrongFrame_SaysWhere(string good, string bad, string message) =>
        Assert.Equal(message, Assert.Throws<CatalogException>(() => Read(Good.Replace(good, bad, StringComparison.Ordinal))).Message);

    [Theory]
    [InlineData("2000,400", "2k,400", "file: line 6, column milli_cpu: '2k' is not a whole number of at least 1")]
    [InlineData("2000,400", ",400", "file: line 6, column milli_cpu: is empty")]
    [InlineData("t.small,amd64,2000", "t.small,x86,2000", "file: line 6, column architecture: 'x86' is neither amd64 nor arm64")]
    [InlineData("0.05,4096", "free,4096", "file: line 6, column burst_usd: 'free' is not an amount")]
    [InlineData("example.com/b=2", "example.com/b", "file: line 7, column devices: 'example.com/b' is not a resource and a count, such as aws.amazon.com/neuron=2")]
    [InlineData("bare-metal", "bear-metal", "file: line 7, column traits: 'bear-metal' is none of previous-generation, bare-metal and dedicated-host")]
    [InlineData("128,6,", "128,6", "file: line 6: has 15 values instead of 16")]
    [InlineData("a b,0.04", "a b,0", "file: line 11, column on_demand_usd: a price must be greater than 0")]
    [InlineData("2026-07,0.01", "July,0.01", "file: line 11, column on_demand_basis: 'July' is not a month such as 2026-08 or 2026-08~")]
    [InlineData("g.large,,?,,,", "t.small,,?,,,", "file: line 12, column type: t.small is there twice")]
    [InlineData("g.large,,?,,,", "t.huge,,?,,,", "file: [offerings east] has t.huge, which is not in [types]")]
    [InlineData("type,zones", "type,zone", "file: line 10: there is no column zone; there are type, zones, on_demand_usd, on_demand_basis, spot_usd, spot_basis")]
    [InlineData("1 2-6/2", "1 2-6", "file: line 15, column vcpus: '2-6' is neither a count nor a range with its step, such as 2-96/2")]
    [InlineData("1 2-6/2", "2 1", "file: line 15, column vcpus: counts must ascend")]
    public void Load_WrongRow_SaysWhichLineAndColumn(string good, string bad, string message) =>
        Assert.Equal(message, Assert.Throws<CatalogException>(() => Read(Good.Replace(good, bad, StringComparison.Ordinal)).Load("east")).Message);

    [Fact]
    public void Read_CutOffAnywhere_IsNoticed()
    {
        for (var length = 0; length < Good.LastIndexOf(']'); length++)
        {
            Assert.Throws<CatalogException>(() => Read(Good[..length]).Load("east"));
        }
    }

    [Fact]
    public void Read_DamagedArchive_IsNoticed()
    {
        var packed = Pack(Good);
        Array.Fill(packed, (byte)0xff, packed.Length / 2, 20);

        Assert.StartsWith("file: is damaged", Assert.Throws<CatalogException>(() => CatalogFile.Read(new MemoryStream(packed), "file")).Message, StringComparison.Ordinal);
    }

    private static CatalogFile Read(string text, bool packed = false) => CatalogFile.Read(new MemoryStream(packed ? Pack(text) : Encoding.UTF8.GetBytes(text)), "file");

    private static byte[] Pack(string text)
    {
        var bytes = new MemoryStream();
        using (var packer = new GZipStream(bytes, CompressionLevel.Optimal))
        {
            packer.Write(Encoding.UTF8.GetBytes(text));
        }

        return bytes.ToArray();
    }
}
