using System.Text.RegularExpressions;
using Kip.Drivers;
using Kip.Sizing;
using Kip.Sizing.Compatibility;

namespace Kip.Catalogs.Tests;

/// <summary>
/// The golden vectors of the Go Kip's tests. Its catalogs of 2020 are gone; the built-in ones, cut down to the families of that time, have
/// the same prices for AWS.
/// </summary>
public sealed partial class GoKipSelectorTests
{
    private static readonly InstanceCatalog Aws = Cut(BuiltInCatalogs.Open("aws").Load("us-east-1"), AwsFamilies());

    private static readonly InstanceCatalog Gce = CutGce(BuiltInCatalogs.Open("gce").Load("us-west1"));

    private static readonly InstanceCatalog Azure = CutAzure(BuiltInCatalogs.Open("azure").Load("eastus"));

    [Theory]
    [InlineData(0.5f, 0.5f, null, "t3a.small", true)]
    [InlineData(1f, 0.5f, null, "m1.small", false)]
    [InlineData(1f, 2f, null, "t3a.small", true)]
    [InlineData(1f, 4f, null, "t3a.medium", true)]
    [InlineData(1.5f, 1.5f, null, "t3a.small", true)]
    [InlineData(48f, 180f, null, "m5a.12xlarge", false)]
    [InlineData(32f, 15f, null, "c5a.8xlarge", false)]
    [InlineData(0.5f, 0.5f, "c5*", "c5a.large", false)]
    [InlineData(32f, 15f, "m5.*", "m5.8xlarge", false)]
    [InlineData(0.01f, 0.1f, null, "t3a.nano", false)]
    [InlineData(0.25f, 0.5f, null, "t3a.micro", true)]
    [InlineData(2f, 4f, null, "c5a.large", false)]
    [InlineData(4f, 8f, null, "c5a.xlarge", false)]
    [InlineData(0f, 0f, null, "t2.nano", null)]
    [InlineData(1000f, 0f, null, null, null)]
    [InlineData(0f, 100000f, null, null, null)]
    public void Choose_Aws_IsWhatTheGoKipChose(float cpu, float memory, string? pattern, string? type, bool? sustained) =>
        Assert.Equal(type is null ? null : (type, sustained), GoKipSelector.Choose(new GoKipRequest(cpu, memory, 0, ""), pattern, "t2.nano", Aws));

    [Fact]
    public void Choose_AwsGpu_IsWhatTheGoKipChose()
    {
        Assert.Equal(("g4dn.xlarge", false), GoKipSelector.Choose(new GoKipRequest(1, 4, 1, ""), null, "t2.nano", Aws));
        Assert.Equal(("g4dn.xlarge", false), GoKipSelector.Choose(new GoKipRequest(0, 0, 1, ""), null, "t2.nano", Aws));
    }

    [Fact]
    public void Choose_AwsWithoutCredits_IsWhatTheGoKipChose()
    {
        Assert.Equal(("m1.small", false), GoKipSelector.Choose(new GoKipRequest(1, 1, 0, "", SustainedCpu: false), null, "t2.nano", Aws));
        Assert.Equal(("m1.small", false), GoKipSelector.Choose(new GoKipRequest(1, 1, 0, "", DedicatedCpu: true), null, "t2.nano", Aws));
    }

    // Processors, memory, pattern, type. The prices of this region moved since 2020 for none of these.
    [Theory]
    [InlineData(0.5f, 1.69f, null, "g1-small")] // 1.7 there, where 1,740 MiB were rounded up
    [InlineData(2f, 1f, null, "e2-micro")]
    [InlineData(5f, 1f, null, "e2-custom-6-3072")]
    [InlineData(2f, 4f, null, "e2-medium")]
    [InlineData(1.5f, 1.5f, null, "e2-highcpu-2")]
    [InlineData(48f, 180f, null, "n2-standard-48")]
    [InlineData(32f, 15f, null, "e2-highcpu-32")]
    [InlineData(25f, 40f, "n2*", "n2-custom-26-40960")]
    [InlineData(1f, 3.75f, null, "n1-standard-1")]
    [InlineData(1f, 0.5f, null, "n1-custom-1-1024")]
    public void Choose_Gce_IsWhatTheGoKipChose(float cpu, float memory, string? pattern, string type) =>
        Assert.Equal(type, GoKipSelector.Choose(new GoKipRequest(cpu, memory, 0, ""), pattern, "f1-micro", Gce)?.Type);

    [Theory]
    [InlineData(2f, 7.5f, 1, "", "n1-standard-2")]
    [InlineData(0f, 3.75f, 1, "nvidia-tesla-p100", "n1-standard-1")]
    public void Choose_GceGpu_IsWhatTheGoKipChose(float cpu, float memory, int gpus, string model, string type) =>
        Assert.Equal(type, GoKipSelector.Choose(new GoKipRequest(cpu, memory, gpus, model), null, "f1-micro", Gce)?.Type);

    [Theory]
    [InlineData(1f, 3f, null, "Standard_B2s")]
    [InlineData(1f, 1f, "Standard_F*", "Standard_F1s")]
    [InlineData(0.2f, 1f, null, "Standard_B1s")]
    public void Choose_Azure_IsWhatTheGoKipChose(float cpu, float memory, string? pattern, string type) =>
        Assert.Equal(type, GoKipSelector.Choose(new GoKipRequest(cpu, memory, 0, ""), pattern, null, Azure)?.Type);

    [Fact]
    public void Choose_AName_IsTheAnswer() =>
        Assert.Equal(("x9.huge", null), GoKipSelector.Choose(new GoKipRequest(64, 4, 0, ""), "x9.huge", "t2.nano", Aws));

    [Theory]
    [InlineData(6f, 3f, 6, 3f)]
    [InlineData(6f, 2f, 6, 3f)]
    [InlineData(8.5f, 2f, null, null)]
    [InlineData(4f, 32.5f, null, null)]
    [InlineData(4f, 20f, 6, 20f)]
    [InlineData(4f, 15.725f, 4, 15.75f)]
    [InlineData(3.5f, 8f, 4, 8f)]
    public void SizeCustom_IsWhatTheGoKipChose(float cpu, float memory, int? cpus, float? gibibytes) =>
        Assert.Equal(
            cpus is null ? null : (cpus.Value, gibibytes!.Value),
            GoKipSelector.SizeCustom(new GoKipRequest(cpu, memory, 0, ""), [1, 2, 4, 6, 8], 0.5f, 4f));

    private static InstanceCatalog Cut(InstanceCatalog catalog, Regex families) =>
        new(catalog.Region, [.. catalog.Types.Where(type => families.IsMatch(type.Name))]);

    // It knew nothing of baselines on Azure, and of no size of a later generation with the letters that came since.
    private static InstanceCatalog CutAzure(InstanceCatalog catalog) => new(
        catalog.Region,
        [.. catalog.Types.Where(static type => AzureFamilies().IsMatch(type.Name)).Select(static type => type with { BaselineMilliCpu = null })]);

    [GeneratedRegex(@"^Standard_([BDF]\d+m?s|[DEF]\d+s?_v[23])$")]
    private static partial Regex AzureFamilies();

    // What its catalog of us-west1-a had otherwise: no N2D yet, no custom E2 of more than 16 processors, E2's shared cores taken, and priced, for whole ones, N1's custom types named
    // with their family, and 1 GiB for each of their processors.
    private static InstanceCatalog CutGce(InstanceCatalog catalog)
    {
        var e2 = catalog.CustomFamilies.First(static family => family.Prefix == "e2-custom").Prices[0];
        var whole = new[] { "e2-micro", "e2-small", "e2-medium" };
        return new InstanceCatalog(
            catalog.Region,
            [.. catalog.Types
                .Where(static type => GceFamilies().IsMatch(type.Name))
                .Select(type => whole.Contains(type.Name) ? type with { BaselineMilliCpu = null, Offerings = [Whole(type, e2)] } : type)],
            [.. catalog.CustomFamilies
                .Where(static family => family.Family is "n1" or "n2" or "e2")
                .Select(static family => family.Family == "e2" ? family with { VCpus = [.. family.VCpus.Where(static count => count <= 16)] } : family)
                .Select(static family => family.Family == "n1" ? family with { Prefix = "n1-custom", MinMebibytesPerVCpu = 1024 } : family)],
            catalog.GpuAttachments);
    }

    // Custom machines cost 5 % more than predefined ones.
    private static Offering Whole(InstanceType type, CustomMachinePrice custom) => new(
        "us-west1-a",
        CapacityType.OnDemand,
        ((type.MilliCpu / 1000m * custom.PerVCpuHour) + (type.MemoryBytes / (decimal)(1L << 30) * custom.PerGibibyteHour)) / 1.05m);

    [GeneratedRegex("^(c2|e2|f1|g1|m1|n1|n2)-")]
    private static partial Regex GceFamilies();

    [GeneratedRegex(@"^(t1|t2|t3|t3a|m1|m2|m3|m4|m5|m5a|m5ad|m5d|m5dn|m5n|c1|c3|c4|c5|c5a|c5ad|c5d|c5n|r3|r4|r5|r5a|r5ad|r5d|r5dn|r5n|i2|i3|i3en|d2|h1|x1|x1e|z1d|g2|g3|g3s|g4dn|p2|p3|p3dn|inf1|f1)\.")]
    private static partial Regex AwsFamilies();
}
