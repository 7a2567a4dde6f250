using Kip.Drivers;
using Kip.Sizing;
using Kip.Testing;

namespace Kip.Core.Tests.Sizing;

public class InstanceSelectorTests
{
    private const long GiB = 1L << 30;

    private static readonly InstanceType[] Types =
    [
        Type("large", 4000, 16, 0.20m),
        Type("small", 1000, 2, 0.05m),
        Type("unpriced", 2000, 8, null),
        Type("medium", 2000, 8, 0.10m),
        Type("twin", 2000, 8, 0.10m),
        Type("slim", 2000, 4, 0.10m),
    ];

    [Fact]
    public void Rank_CheapestFirst_TiesByLeastWasteThenName_UnknownPriceLast() =>
        Assert.Equal(["slim", "medium", "twin", "large", "unpriced"], Rank(Request(1500, 3), Types));

    [Fact]
    public void Rank_AnyOrderOfTheCatalog_GivesTheSameRanking() =>
        Assert.Equal(Rank(Request(1, 0), Types), Rank(Request(1, 0), [.. Types.Reverse()]));

    [Fact]
    public void Rank_DiskLargerThanTheTypeAllows_IsExcluded()
    {
        InstanceType[] types = [Type("fixed", 1000, 1, 0.01m) with { MaxDiskBytes = 10 }, Type("any", 1000, 1, 0.02m)];

        Assert.Equal(["any"], Rank(Request(1, 0) with { MinDiskBytes = 11 }, types));
    }

    [Fact]
    public void Rank_CapacityTypes_RankInTheOrderGivenWhateverTheirPrices()
    {
        InstanceType[] types = [Type("a", 1000, 1, 0.02m, spot: 0.01m), Type("b", 1000, 1, 0.03m, spot: 0.02m)];

        Assert.Equal(["a Spot", "b Spot"], Ways(CapacityType.Spot));
        Assert.Equal(["a OnDemand", "b OnDemand", "a Spot", "b Spot"], Ways(CapacityType.OnDemand, CapacityType.Spot));

        string[] Ways(params CapacityType[] capacityTypes) =>
            [.. InstanceSelector.Rank(Request(1, 0) with { CapacityTypes = capacityTypes }, Catalog(types)).Select(c => $"{c.Type.Name} {c.Offering.CapacityType}")];
    }

    [Fact]
    public void Rank_ProcessorsAboveTheBaseline_CostWhatUnlimitedCreditsCost()
    {
        InstanceType[] types =
        [
            Type("burst", 2000, 4, 0.04m) with { BaselineMilliCpu = 400, BurstPricePerCpuHour = 0.05m },
            Type("plain", 1000, 4, 0.05m),
        ];

        Assert.Equal(["burst", "plain"], Rank(Request(400, 1), types));
        Assert.Equal(["burst", "plain"], Rank(Request(500, 1), types));
        Assert.Equal(["plain", "burst"], Rank(Request(700, 1), types));
        Assert.Equal(0.04m + (0.3m * 0.05m), InstanceSelector.Rank(Request(700, 1), Catalog(types))[1].PricePerHour);
        Assert.Equal("plain", InstanceSelector.First(Request(700, 1), Catalog(types))!.Value.Type.Name);
    }

    [Fact]
    public void Rank_SharedCoreWithoutUnlimitedCredits_FitsWithinItsBaselineOnly()
    {
        InstanceType[] types = [Type("shared", 2000, 4, 0.04m) with { BaselineMilliCpu = 500 }, Type("plain", 1000, 4, 0.05m)];

        Assert.Equal(["shared", "plain"], Rank(Request(500, 1), types));
        Assert.Equal(["plain"], Rank(Request(501, 1), types));
    }

    [Fact]
    public void Rank_MemoryThatTheSystemTakes_IsNotThePods()
    {
        InstanceType[] types = [Type("tight", 1000, 1, 0.01m) with { UsableMemoryBytes = GiB - 1 }, Type("next", 1000, 2, 0.02m)];

        Assert.Equal(["next"], Rank(Request(1, 1), types));
        Assert.Equal(["tight", "next"], Rank(new CellRequest { Pod = new(1, GiB - 1, 0), Overhead = new(0, 0, 0) }, types));
        Assert.Equal(["next"], Rank(new CellRequest { Pod = new(1, GiB - 1, 0), Overhead = new(0, 1, 0) }, types));
    }

    [Fact]
    public void Rank_Gpus_ByResourceCountAndModel()
    {
        InstanceType[] types =
        [
            Type("one", 1000, 4, 0.5m) with { Gpus = new("nvidia.com/gpu", "nvidia-tesla-t4", 1, 16 * GiB) },
            Type("two", 1000, 4, 0.9m) with { Gpus = new("nvidia.com/gpu", "A10G", 2, 22 * GiB) },
            Type("amd", 1000, 4, 0.4m) with { Gpus = new("amd.com/gpu", "Radeon", 1, 8 * GiB) },
            Type("neuron", 1000, 4, 0.3m) with { Devices = new Dictionary<string, int> { ["aws.amazon.com/neuron"] = 2 } },
            Type("none", 1000, 4, 0.1m),
        ];

        Assert.Equal(["one", "two"], Rank(Ask("nvidia.com/gpu", 1), types));
        Assert.Equal(["two"], Rank(Ask("nvidia.com/gpu", 2), types));
        Assert.Equal(["amd"], Rank(Ask("amd.com/gpu", 1), types));
        Assert.Equal(["neuron"], Rank(Ask("aws.amazon.com/neuron", 2), types));
        Assert.Equal(["one"], Rank(Ask("nvidia.com/gpu", 1) with { Rules = [Rule("node.elotl.co/gpu", "Tesla-T4")] }, types));
        Assert.Equal(["none", "neuron", "amd", "one", "two"], Rank(Request(1, 1), types));

        static CellRequest Ask(string resource, long count) => Request(1, 1) with { Devices = new Dictionary<string, long> { [resource] = count } };
    }

    [Fact]
    public void Rank_Zones_AreTakenByRuleAndPassedOverWhenRefused()
    {
        var time = new VirtualClock();
        var refusals = new RefusalCache(time);
        InstanceType[] types = [Type("t", 1000, 1, 0.01m) with { Offerings = [new("b", CapacityType.OnDemand, 0.01m), new("a", CapacityType.OnDemand, 0.01m)] }];
        var request = Request(1, 0);

        Assert.Equal(["a", "b"], Zones(request));
        Assert.Equal(["b"], Zones(request with { Rules = [Rule("topology.kubernetes.io/zone", "b")] }));

        refusals.Add(DriverErrorKind.OutOfCapacity, "t", "a", CapacityType.OnDemand);
        Assert.Equal(["b"], Zones(request));
        Assert.Equal("b", InstanceSelector.First(request, Catalog(types), refusals)!.Value.Offering.Zone);
        var excluded = Assert.Single(InstanceSelector.Explain(request, Catalog(types), refusals).Excluded);
        Assert.Equal(("a", "refused by the cloud a short while ago"), (excluded.Offering!.Zone, excluded.Reason));

        string[] Zones(CellRequest asked) => [.. InstanceSelector.Rank(asked, Catalog(types), refusals).Select(c => c.Offering.Zone)];
    }

    [Fact]
    public void Rank_Traits_AreTakenWhenAskedForOnly()
    {
        InstanceType[] types =
        [
            Type("old.small", 1000, 1, 0.01m) with { Traits = InstanceTypeTraits.PreviousGeneration },
            Type("mac", 1000, 1, 0.02m) with { Traits = InstanceTypeTraits.DedicatedHostOnly },
            Type("new.small", 1000, 1, 0.03m),
        ];

        Assert.Equal(["new.small"], Rank(Request(1, 0), types));
        Assert.Equal(["mac", "new.small"], Rank(Request(1, 0) with { DedicatedHost = true }, types));
        Assert.Equal(["old.small", "new.small"], Rank(Request(1, 0) with { AllowsPreviousGenerations = true }, types));
        Assert.Equal(["old.small"], Rank(Request(1, 0) with { InstanceType = "old.small" }, types));
    }

    [Fact]
    public void Rank_NamedType_NeedNotHaveWhatThePodAsksFor() =>
        Assert.Equal(["small"], Rank(Request(64_000, 512) with { InstanceType = "small" }, Types));

    [Fact]
    public void Rank_MaxPrice_ExcludesDearerAndUnknown()
    {
        Assert.Equal(["slim", "medium", "twin"], Rank(Request(1500, 3) with { MaxPricePerHour = 0.1m }, Types));
    }

    [Fact]
    public void Explain_NothingLargeEnough_NamesWhatWasAskedAndTheLargest()
    {
        var problem = Problem(Request(64_500, 1), Types);

        Assert.Contains("64.5 vCPU", problem, StringComparison.Ordinal);
        Assert.Contains("large with 4 vCPU and 16 GiB", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_UnknownType_NamesTheNearest() =>
        Assert.Equal(
            "there is no instance type smal in region (did you mean small?)",
            Problem(Request(1, 0) with { InstanceType = "smal" }, Types));

    [Fact]
    public void Explain_RulesThatExcludeEachOther_NamesBoth()
    {
        InstanceType[] types = [Type("x.small", 1000, 1, 0.01m), Type("g.small", 1000, 1, 0.01m) with { Architecture = "arm64" }];
        var request = Request(1, 0) with
        {
            Rules =
            [
                new PlacementRule("annotation pod.elotl.co/instance-type: x.*", new LabelRequirement("node.kubernetes.io/instance-type", LabelOperator.Matches, ["x.*"])),
                Rule("kubernetes.io/arch", "arm64"),
            ],
        };

        Assert.Contains("has both annotation pod.elotl.co/instance-type: x.* and kubernetes.io/arch", Problem(request, types), StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_ThreeThingsThatDoNotGoTogether_NamesTheClosest()
    {
        InstanceType[] types =
        [
            Type("cpu", 8000, 4, 1) with { Architecture = "arm64" },
            Type("memory", 2000, 64, 1) with { Architecture = "arm64" },
            Type("both", 8000, 64, 9),
        ];
        var request = Request(4000, 32) with { Rules = [Rule("kubernetes.io/arch", "arm64")] };

        Assert.Contains("the closest is", Problem(request, types), StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_Always_AccountsForEveryType()
    {
        var selection = InstanceSelector.Explain(Request(1500, 3) with { MaxPricePerHour = 0.15m }, Catalog(Types));

        Assert.Equal(["slim", "medium", "twin"], selection.Ranking.Select(c => c.Type.Name));
        Assert.Equal(
            [("large", "dearer than 0.15 $/h, or of unknown price"), ("small", "too few processors"), ("unpriced", "dearer than 0.15 $/h, or of unknown price")],
            selection.Excluded.Select(e => (e.Type.Name, e.Reason)));
        Assert.Null(selection.Problem);
    }

    private static string[] Rank(CellRequest request, InstanceType[] types) => [.. InstanceSelector.Rank(request, Catalog(types)).Select(c => c.Type.Name)];

    private static string Problem(CellRequest request, InstanceType[] types)
    {
        var selection = InstanceSelector.Explain(request, Catalog(types));
        Assert.Empty(selection.Ranking);
        Assert.Null(InstanceSelector.First(request, Catalog(types)));
        return selection.Problem!;
    }

    private static InstanceCatalog Catalog(InstanceType[] types) => new("region", types);

    private static CellRequest Request(long milliCpu, long gibibytes) => new() { Pod = new ResourceRequest(milliCpu, gibibytes * GiB, 0), Overhead = new(0, 0, 0) };

    private static PlacementRule Rule(string label, string value) => new($"{label}={value}", new LabelRequirement(label, LabelOperator.In, [value]));

    private static InstanceType Type(string name, long milliCpu, long gibibytes, decimal? price, decimal? spot = null) => new()
    {
        Name = name,
        MilliCpu = milliCpu,
        MemoryBytes = gibibytes * GiB,
        UsableMemoryBytes = gibibytes * GiB,
        Architecture = "amd64",
        Offerings = [new Offering("zone", CapacityType.OnDemand, price), .. spot is null ? (Offering[])[] : [new Offering("zone", CapacityType.Spot, spot)]],
    };
}
