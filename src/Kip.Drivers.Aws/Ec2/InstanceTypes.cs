using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

internal sealed class DescribeInstanceTypesRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeInstanceTypes";
}

internal sealed class DescribeInstanceTypesResponse : AmazonWebServiceResponse, IQueryResponse<DescribeInstanceTypesResponse>
{
    public List<InstanceTypeInfo> InstanceTypes { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeInstanceTypesResponse Read(XElement root) => new()
    {
        InstanceTypes = root.List("instanceTypeSet", InstanceTypeInfo.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class InstanceTypeInfo
{
    public string? InstanceType { get; init; }

    public List<string> SupportedUsageClasses { get; init; } = [];

    public List<string> SupportedRootDeviceTypes { get; init; } = [];

    public List<string> SupportedVirtualizationTypes { get; init; } = [];

    public bool? BareMetal { get; init; }

    public bool? BurstablePerformanceSupported { get; init; }

    public bool? CurrentGeneration { get; init; }

    public ProcessorInfo? ProcessorInfo { get; init; }

    public VCpuInfo? VCpuInfo { get; init; }

    public MemoryInfo? MemoryInfo { get; init; }

    public GpuInfo? GpuInfo { get; init; }

    public NeuronInfo? NeuronInfo { get; init; }

    public InstanceStorageInfo? InstanceStorageInfo { get; init; }

    public NetworkInfo? NetworkInfo { get; init; }

    public static InstanceTypeInfo Read(XElement element) => new()
    {
        InstanceType = element.Text("instanceType"),
        SupportedUsageClasses = element.Texts("supportedUsageClasses"),
        SupportedRootDeviceTypes = element.Texts("supportedRootDeviceTypes"),
        SupportedVirtualizationTypes = element.Texts("supportedVirtualizationTypes"),
        BareMetal = element.Boolean("bareMetal"),
        BurstablePerformanceSupported = element.Boolean("burstablePerformanceSupported"),
        CurrentGeneration = element.Boolean("currentGeneration"),
        ProcessorInfo = element.Structure("processorInfo", ProcessorInfo.Read),
        VCpuInfo = element.Structure("vCpuInfo", VCpuInfo.Read),
        MemoryInfo = element.Structure("memoryInfo", MemoryInfo.Read),
        GpuInfo = element.Structure("gpuInfo", GpuInfo.Read),
        NeuronInfo = element.Structure("neuronInfo", NeuronInfo.Read),
        InstanceStorageInfo = element.Structure("instanceStorageInfo", InstanceStorageInfo.Read),
        NetworkInfo = element.Structure("networkInfo", NetworkInfo.Read),
    };
}

internal sealed class ProcessorInfo
{
    public List<string> SupportedArchitectures { get; init; } = [];

    public static ProcessorInfo Read(XElement element) => new() { SupportedArchitectures = element.Texts("supportedArchitectures") };
}

internal sealed class VCpuInfo
{
    public int? DefaultVCpus { get; init; }

    public static VCpuInfo Read(XElement element) => new() { DefaultVCpus = element.Int32("defaultVCpus") };
}

internal sealed class MemoryInfo
{
    public long? SizeInMiB { get; init; }

    public static MemoryInfo Read(XElement element) => new() { SizeInMiB = element.Int64("sizeInMiB") };
}

internal sealed class GpuInfo
{
    public List<GpuDeviceInfo> Gpus { get; init; } = [];

    public static GpuInfo Read(XElement element) => new() { Gpus = element.List("gpus", GpuDeviceInfo.Read) };
}

internal sealed class GpuDeviceInfo
{
    public string? Name { get; init; }

    public string? Manufacturer { get; init; }

    /// <summary>Cards; of a fraction of a card one.</summary>
    public int? Count { get; init; }

    public GpuDeviceMemoryInfo? MemoryInfo { get; init; }

    public static GpuDeviceInfo Read(XElement element) => new()
    {
        Name = element.Text("name"),
        Manufacturer = element.Text("manufacturer"),
        Count = element.Int32("count"),
        MemoryInfo = element.Structure("memoryInfo", GpuDeviceMemoryInfo.Read),
    };
}

internal sealed class GpuDeviceMemoryInfo
{
    public long? SizeInMiB { get; init; }

    public static GpuDeviceMemoryInfo Read(XElement element) => new() { SizeInMiB = element.Int64("sizeInMiB") };
}

internal sealed class NeuronInfo
{
    public List<NeuronDeviceInfo> NeuronDevices { get; init; } = [];

    public static NeuronInfo Read(XElement element) => new() { NeuronDevices = element.List("neuronDevices", NeuronDeviceInfo.Read) };
}

internal sealed class NeuronDeviceInfo
{
    public int? Count { get; init; }

    public static NeuronDeviceInfo Read(XElement element) => new() { Count = element.Int32("count") };
}

internal sealed class InstanceStorageInfo
{
    /// <summary>Decimal.</summary>
    public long? TotalSizeInGB { get; init; }

    public static InstanceStorageInfo Read(XElement element) => new() { TotalSizeInGB = element.Int64("totalSizeInGB") };
}

internal sealed class NetworkInfo
{
    public int? Ipv4AddressesPerInterface { get; init; }

    public List<NetworkCardInfo> NetworkCards { get; init; } = [];

    public static NetworkInfo Read(XElement element) => new()
    {
        Ipv4AddressesPerInterface = element.Int32("ipv4AddressesPerInterface"),
        NetworkCards = element.List("networkCards", NetworkCardInfo.Read),
    };
}

internal sealed class NetworkCardInfo
{
    public double? BaselineBandwidthInGbps { get; init; }

    public static NetworkCardInfo Read(XElement element) => new() { BaselineBandwidthInGbps = element.Double("baselineBandwidthInGbps") };
}

internal sealed class DescribeInstanceTypeOfferingsRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeInstanceTypeOfferings";

    public string? LocationType { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        base.WriteMembers(parameters);
        parameters.Add("LocationType", LocationType);
    }
}

internal sealed class DescribeInstanceTypeOfferingsResponse : AmazonWebServiceResponse, IQueryResponse<DescribeInstanceTypeOfferingsResponse>
{
    public List<InstanceTypeOffering> InstanceTypeOfferings { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeInstanceTypeOfferingsResponse Read(XElement root) => new()
    {
        InstanceTypeOfferings = root.List("instanceTypeOfferingSet", InstanceTypeOffering.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class InstanceTypeOffering
{
    public string? InstanceType { get; init; }

    public string? Location { get; init; }

    public static InstanceTypeOffering Read(XElement element) => new()
    {
        InstanceType = element.Text("instanceType"),
        Location = element.Text("location"),
    };
}

internal sealed class DescribeSpotPriceHistoryRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeSpotPriceHistory";

    public DateTime? StartTime { get; set; }

    public List<string>? ProductDescriptions { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        base.WriteMembers(parameters);
        parameters.Add("StartTime", StartTime);
        parameters.Add("ProductDescription", ProductDescriptions);
    }
}

internal sealed class DescribeSpotPriceHistoryResponse : AmazonWebServiceResponse, IQueryResponse<DescribeSpotPriceHistoryResponse>
{
    public List<SpotPrice> SpotPriceHistory { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeSpotPriceHistoryResponse Read(XElement root) => new()
    {
        SpotPriceHistory = root.List("spotPriceHistorySet", SpotPrice.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class SpotPrice
{
    public string? AvailabilityZone { get; init; }

    public string? InstanceType { get; init; }

    /// <summary>Dollars per hour.</summary>
    public string? Price { get; init; }

    public DateTime? Timestamp { get; init; }

    public static SpotPrice Read(XElement element) => new()
    {
        AvailabilityZone = element.Text("availabilityZone"),
        InstanceType = element.Text("instanceType"),
        Price = element.Text("spotPrice"),
        Timestamp = element.Timestamp("timestamp"),
    };
}
