using Amazon.EC2.Model;

namespace Kip.Drivers.Aws.Tests;

public sealed class AwsCatalogTests
{
    private static readonly string[] Zones = ["us-east-1a", "us-east-1b"];

    [Fact]
    public void Map_UsualType_HasItsSizesAndOfferings()
    {
        var type = Assert.Single(AwsCatalog.Map([Type("t3.nano")], [Offer("t3.nano", "us-east-1b"), Offer("t3.nano", "us-east-1a"), Offer("t3.nano", "us-east-1f")], [Price("0.0016")], Zones));

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
    public void Map_SeveralPrices_TakesTheLatest()
    {
        var type = Assert.Single(AwsCatalog.Map(
            [Type("t3.nano")], [Offer("t3.nano", "us-east-1a")], [Price("0.2", 3), Price("0.3", 5), Price("0.1", 4), Price("nonsense", 6), Price("0", 7)], Zones));

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

        Assert.Empty(AwsCatalog.Map([info], [Offer(info.InstanceType!, "us-east-1a")], [], Zones));
    }

    [Fact]
    public void Map_NotOfferedWhereCellsAre_IsLeftOut() =>
        Assert.Empty(AwsCatalog.Map([Type("t3.nano")], [Offer("t3.nano", "us-east-1f")], [], Zones));

    [Fact]
    public void Map_BothArchitectures_IsTheOneThatAllImagesHave() =>
        Assert.Equal("amd64", Assert.Single(AwsCatalog.Map([Type("t3.nano", architectures: ["i386", "x86_64"])], [Offer("t3.nano", "us-east-1a")], [], Zones)).Architecture);

    [Fact]
    public void Map_Graviton_IsArm64() =>
        Assert.Equal("arm64", Assert.Single(AwsCatalog.Map([Type("t4g.nano", architectures: ["arm64"])], [Offer("t4g.nano", "us-east-1a")], [], Zones)).Architecture);

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
