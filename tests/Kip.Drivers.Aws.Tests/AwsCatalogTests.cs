using Amazon.EC2.Model;

namespace Kip.Drivers.Aws.Tests;

public sealed class AwsCatalogTests
{
    private static readonly Dictionary<string, InstanceType> NoPrices = [];
    private static readonly string[] Zones = ["us-east-1a", "us-east-1b"];

    [Fact]
    public void Map_UsualType_HasItsSizesAndOfferings()
    {
        var type = Assert.Single(AwsCatalog.Map([Type("t3.nano")], [Offer("t3.nano", "us-east-1b"), Offer("t3.nano", "us-east-1a"), Offer("t3.nano", "us-east-1f")], [Price("0.0016")], Zones, NoPrices));

        Assert.Equal(("t3.nano", 2000L, 512L << 20, "amd64", 16L << 40), (type.Name, type.MilliCpu, type.MemoryBytes, type.Architecture, type.MaxDiskBytes));
        Assert.Equal(
            [
                new Offering("us-east-1a", CapacityType.OnDemand, null),
                new Offering("us-east-1a", CapacityType.Spot, 0.0016m),
                new Offering("us-east-1b", CapacityType.OnDemand, null),
                new Offering("us-east-1b", CapacityType.Spot, null),
            ],
            type.Offerings);
    }

    [Fact]
    public void Map_TypeWithEverything_SaysItAll()
    {
        var info = new InstanceTypeInfo
        {
            InstanceType = "g4dn.metal",
            CurrentGeneration = false,
            BareMetal = true,
            ProcessorInfo = new ProcessorInfo { SupportedArchitectures = ["x86_64"] },
            VCpuInfo = new VCpuInfo { DefaultVCpus = 96 },
            MemoryInfo = new MemoryInfo { SizeInMiB = 393216 },
            SupportedRootDeviceTypes = ["ebs"],
            SupportedUsageClasses = ["on-demand"],
            GpuInfo = new GpuInfo { Gpus = [new GpuDeviceInfo { Name = "T4", Manufacturer = "NVIDIA", Count = 8, MemoryInfo = new GpuDeviceMemoryInfo { SizeInMiB = 16384 } }] },
            NeuronInfo = new NeuronInfo { NeuronDevices = [new NeuronDeviceInfo { Count = 2 }, new NeuronDeviceInfo { Count = 1 }] },
            InstanceStorageInfo = new InstanceStorageInfo { TotalSizeInGB = 1800 },
            NetworkInfo = new NetworkInfo { Ipv4AddressesPerInterface = 50, NetworkCards = [new NetworkCardInfo { BaselineBandwidthInGbps = 50 }, new NetworkCardInfo { BaselineBandwidthInGbps = 0.5 }] },
        };

        var type = Assert.Single(AwsCatalog.Map([info], [Offer("g4dn.metal", "us-east-1a")], [], Zones, NoPrices));

        Assert.Equal(new GpuDevices("nvidia.com/gpu", "T4", 8, 16L << 30), type.Gpus);
        Assert.Equal(new Dictionary<string, int> { ["aws.amazon.com/neuron"] = 3 }, type.Devices);
        Assert.Equal((1_800_000_000_000, 50_500, 50), (type.LocalDiskBytes, type.NetworkMegabits, type.Addresses));
        Assert.Equal(InstanceTypeTraits.PreviousGeneration | InstanceTypeTraits.BareMetal, type.Traits);
        Assert.Null(type.BaselineMilliCpu);
    }

    [Theory]
    [InlineData("t3.nano", 2, 100, 0.05)]
    [InlineData("t4g.2xlarge", 8, 3200, 0.04)]
    [InlineData("t2.xlarge", 4, 900, 0.05)]
    [InlineData("t3a.large", 2, 600, 0.05)]
    public void Burstable_TypeWithCredits_HasItsBaselineAndPrice(string type, int processors, long baseline, double price) =>
        Assert.Equal((baseline, (decimal)price), (Burstable.BaselineMilliCpu(type, processors), Burstable.PricePerCpuHour(type)));

    [Fact]
    public void Burstable_Flex_HasABaselineThatCannotBeExceededForMoney() =>
        Assert.Equal((800L, (decimal?)null), (Burstable.BaselineMilliCpu("m7i-flex.large", 2)!.Value, Burstable.PricePerCpuHour("m7i-flex.large")));

    [Theory]
    [InlineData("m7i.large")]
    [InlineData("trn1.2xlarge")]
    [InlineData("t3")]
    public void Burstable_OtherType_HasNone(string type) => Assert.Null(Burstable.BaselineMilliCpu(type, 2));

    [Fact]
    public void Map_SeveralPrices_TakesTheLatest()
    {
        var type = Assert.Single(AwsCatalog.Map(
            [Type("t3.nano")], [Offer("t3.nano", "us-east-1a")], [Price("0.2", 3), Price("0.3", 5), Price("0.1", 4), Price("nonsense", 6), Price("0", 7)], Zones, NoPrices));

        Assert.Equal(0.3m, type.Offerings.Single(offering => offering.CapacityType == CapacityType.Spot).PricePerHour);
    }

    private static readonly (string Why, InstanceTypeInfo Info)[] NoCells =
    [
        ("32 bits", Type("t1.micro", architectures: ["i386"])),
        ("a Mac", Type("mac2.metal", architectures: ["arm64_mac"])),
        ("paravirtual", Type("m1.small", virtualization: ["paravirtual"])),
        ("no disk on EBS", Type("m3.old", rootDevices: ["instance-store"])),
        ("not on sale", Type("p5.x", usage: ["capacity-block"])),
        ("without sizes", new InstanceTypeInfo { InstanceType = "x1.y", ProcessorInfo = new ProcessorInfo { SupportedArchitectures = ["x86_64"] }, SupportedRootDeviceTypes = ["ebs"] }),
    ];

    public static TheoryData<string> NoCellsNames => [.. NoCells.Select(type => type.Why)];

    [Theory, MemberData(nameof(NoCellsNames))]
    public void Map_WhatNoCellCanBe_IsLeftOut(string why)
    {
        var info = Array.Find(NoCells, type => type.Why == why).Info;

        Assert.Empty(AwsCatalog.Map([info], [Offer(info.InstanceType!, "us-east-1a")], [], Zones, NoPrices));
    }

    [Fact]
    public void Map_PriceList_GivesPricesOnDemandWithTheirMonthAndMeasuredMemory()
    {
        var basis = new PriceBasis(new DateOnly(2026, 8, 1), IsDerived: false);
        var listed = new InstanceType
        {
            Name = "t3.nano",
            MilliCpu = 2000,
            MemoryBytes = 512 << 20,
            UsableMemoryBytes = 418 << 20,
            Architecture = "amd64",
            Offerings = [new Offering("us-east-1f", CapacityType.Spot, 0.001m), new Offering("us-east-1f", CapacityType.OnDemand, 0.0052m) { Basis = basis }],
        };

        var type = Assert.Single(AwsCatalog.Map(
            [Type("t3.nano")], [Offer("t3.nano", "us-east-1a")], [], Zones, new Dictionary<string, InstanceType> { ["t3.nano"] = listed }));

        Assert.Equal(418 << 20, type.UsableMemoryBytes);
        Assert.Equal([new Offering("us-east-1a", CapacityType.OnDemand, 0.0052m) { Basis = basis }, new Offering("us-east-1a", CapacityType.Spot, null)], type.Offerings);
    }

    [Fact]
    public void Map_NotOfferedWhereCellsAre_IsLeftOut() =>
        Assert.Empty(AwsCatalog.Map([Type("t3.nano")], [Offer("t3.nano", "us-east-1f")], [], Zones, NoPrices));

    [Fact]
    public void Map_BothArchitectures_IsTheOneThatAllImagesHave() =>
        Assert.Equal("amd64", Assert.Single(AwsCatalog.Map([Type("t3.nano", architectures: ["i386", "x86_64"])], [Offer("t3.nano", "us-east-1a")], [], Zones, NoPrices)).Architecture);

    [Fact]
    public void Map_Graviton_IsArm64() =>
        Assert.Equal("arm64", Assert.Single(AwsCatalog.Map([Type("t4g.nano", architectures: ["arm64"])], [Offer("t4g.nano", "us-east-1a")], [], Zones, NoPrices)).Architecture);

    private static InstanceTypeInfo Type(string name, List<string>? architectures = null, List<string>? virtualization = null, List<string>? rootDevices = null, List<string>? usage = null) => new()
    {
        InstanceType = name,
        ProcessorInfo = new ProcessorInfo { SupportedArchitectures = architectures ?? ["x86_64"] },
        VCpuInfo = new VCpuInfo { DefaultVCpus = 2 },
        MemoryInfo = new MemoryInfo { SizeInMiB = 512 },
        SupportedVirtualizationTypes = virtualization ?? ["hvm"],
        SupportedRootDeviceTypes = rootDevices ?? ["ebs"],
        SupportedUsageClasses = usage ?? ["on-demand", "spot"],
    };

    private static InstanceTypeOffering Offer(string type, string zone) => new() { InstanceType = type, Location = zone };

    private static SpotPrice Price(string dollars, int day = 1) =>
        new() { InstanceType = "t3.nano", AvailabilityZone = "us-east-1a", Price = dollars, Timestamp = new DateTime(2026, 1, day, 0, 0, 0, DateTimeKind.Utc) };
}
