using System.Globalization;
using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>The instance types of the region, in the zones that cells have a subnet in.</summary>
internal sealed class AwsCatalog(AwsCalls calls, TimeProvider timeProvider)
{
    private const int TypesOnOnePage = 100;
    private const int OfferingsOnOnePage = 1000;
    private const long Mib = 1L << 20;

    /// <summary>The largest gp3 volume.</summary>
    public const long MaxDiskBytes = 16L << 40;

    /// <summary>Reads it. Prices on demand are not known to EC2 and left open.</summary>
    /// <param name="zones">The zones to offer.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="DriverException">A part of it cannot be read.</exception>
    public async Task<IReadOnlyList<InstanceType>> ReadAsync(IReadOnlyCollection<string> zones, CancellationToken cancellationToken)
    {
        var types = ReadTypesAsync(cancellationToken);
        var offerings = ReadOfferingsAsync(zones, cancellationToken);
        var prices = ReadSpotPricesAsync(cancellationToken);
        await Task.WhenAll(types, offerings, prices).ConfigureAwait(false);
        return Map(await types.ConfigureAwait(false), await offerings.ConfigureAwait(false), await prices.ConfigureAwait(false), zones);
    }

    internal static IReadOnlyList<InstanceType> Map(
        IEnumerable<InstanceTypeInfo> types, IEnumerable<InstanceTypeOffering> offerings, IEnumerable<SpotPrice> spotPrices, IReadOnlyCollection<string> zones)
    {
        var offered = offerings
            .Where(offering => offering.InstanceType is not null && offering.Location is { } zone && zones.Contains(zone))
            .ToLookup(static offering => offering.InstanceType!, static offering => offering.Location!, StringComparer.Ordinal);
        var prices = new Dictionary<(string, string), decimal>();
        foreach (var price in spotPrices.OrderBy(static price => price.Timestamp))
        {
            if (price is { InstanceType: { } type, AvailabilityZone: { } zone } &&
                decimal.TryParse(price.Price, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var dollars) && dollars > 0)
            {
                prices[(type, zone)] = dollars;
            }
        }

        return
        [
            .. types.Select(info => Map(info, offered, prices)).OfType<InstanceType>()
                .DistinctBy(static type => type.Name)
                .OrderBy(static type => type.Name, StringComparer.Ordinal),
        ];
    }

    /// <summary>The type, or null when no cell can be one: no 64-bit Linux, no root disk on EBS, not offered where cells can be.</summary>
    private static InstanceType? Map(InstanceTypeInfo info, ILookup<string, string> offered, Dictionary<(string, string), decimal> spotPrices)
    {
        if (info is not { InstanceType: { } name, VCpuInfo.DefaultVCpus: > 0 and var processors, MemoryInfo.SizeInMiB: > 0 and var memory } ||
            Architecture(info) is not { } architecture ||
            !info.SupportedRootDeviceTypes.Contains("ebs") ||
            (info.SupportedVirtualizationTypes.Count > 0 && !info.SupportedVirtualizationTypes.Contains("hvm")))
        {
            return null;
        }

        var offerings = offered[name].Distinct().Order(StringComparer.Ordinal).SelectMany(zone => Offer(info, name, zone, spotPrices)).ToList();
        return offerings.Count == 0
            ? null
            : new InstanceType
            {
                Name = name,
                MilliCpu = processors * 1000L,
                MemoryBytes = memory * Mib,
                Architecture = architecture,
                MaxDiskBytes = MaxDiskBytes,
                Offerings = offerings,
            };
    }

    private static IEnumerable<Offering> Offer(InstanceTypeInfo info, string name, string zone, Dictionary<(string, string), decimal> spotPrices)
    {
        if (info.SupportedUsageClasses.Contains("on-demand"))
        {
            yield return new Offering(zone, CapacityType.OnDemand, null);
        }

        if (info.SupportedUsageClasses.Contains("spot"))
        {
            yield return new Offering(zone, CapacityType.Spot, spotPrices.TryGetValue((name, zone), out var price) ? price : null);
        }
    }

    private static string? Architecture(InstanceTypeInfo info) =>
        info.ProcessorInfo?.SupportedArchitectures is not { } architectures ? null
        : architectures.Contains("x86_64") ? "amd64"
        : architectures.Contains("arm64") ? "arm64"
        : null;

    private Task<List<InstanceTypeInfo>> ReadTypesAsync(CancellationToken cancellationToken) => AwsCalls.PageAsync(
        "read the instance types",
        new DescribeInstanceTypesRequest { MaxResults = TypesOnOnePage },
        calls.Ec2.DescribeInstanceTypesAsync,
        static response => (response.InstanceTypes, response.NextToken),
        cancellationToken);

    private Task<List<InstanceTypeOffering>> ReadOfferingsAsync(IEnumerable<string> zones, CancellationToken cancellationToken) => AwsCalls.PageAsync(
        "read where instance types are offered",
        new DescribeInstanceTypeOfferingsRequest
        {
            MaxResults = OfferingsOnOnePage,
            LocationType = "availability-zone",
            Filters = [new Filter("location", zones)],
        },
        calls.Ec2.DescribeInstanceTypeOfferingsAsync,
        static response => (response.InstanceTypeOfferings, response.NextToken),
        cancellationToken);

    /// <summary>The spot prices of now: a history that begins now has the last price of each type and zone.</summary>
    private Task<List<SpotPrice>> ReadSpotPricesAsync(CancellationToken cancellationToken) => AwsCalls.PageAsync(
        "read the spot prices",
        new DescribeSpotPriceHistoryRequest { StartTime = timeProvider.GetUtcNow().UtcDateTime, ProductDescriptions = ["Linux/UNIX"], MaxResults = OfferingsOnOnePage },
        calls.Ec2.DescribeSpotPriceHistoryAsync,
        static response => (response.SpotPriceHistory, response.NextToken),
        cancellationToken);
}
