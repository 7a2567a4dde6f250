using System.Collections.Concurrent;
using System.Globalization;
using Amazon.EC2.Model;
using Kip.Sizing;

namespace Kip.Drivers.Aws;

/// <summary>The instance types of the region, in the zones that cells have a subnet in.</summary>
internal sealed class AwsCatalog(AwsCalls calls, AwsDriverOptions options, AwsPrices onDemand, TimeProvider timeProvider)
{
    private const int TypesOnOnePage = 100;
    private const int OfferingsOnOnePage = 1000;
    private const long Mib = 1L << 20;
    private const long Gigabyte = 1_000_000_000;

    // What the device plugins of the makers call them.
    private static readonly Dictionary<string, string> GpuResources = new(StringComparer.OrdinalIgnoreCase) { ["NVIDIA"] = "nvidia.com/gpu", ["AMD"] = "amd.com/gpu" };

    private readonly ConcurrentDictionary<string, string> _architectures = new(StringComparer.Ordinal);

    /// <summary>The largest gp3 volume.</summary>
    public const long MaxDiskBytes = 16L << 40;

    /// <summary>Reads it. EC2 does not know prices on demand: those come from AWS's price list, or else from the one in the options.</summary>
    /// <param name="zones">The zones to offer.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="DriverException">A part of it cannot be read.</exception>
    public async Task<InstanceCatalog> ReadAsync(IReadOnlyCollection<string> zones, CancellationToken cancellationToken)
    {
        onDemand.Prepare();
        var types = ReadTypesAsync(cancellationToken);
        var offerings = ReadOfferingsAsync(zones, cancellationToken);
        var prices = ReadSpotPricesAsync(cancellationToken);
        await Task.WhenAll(types, offerings, prices).ConfigureAwait(false);
        var live = await onDemand.GetAsync(cancellationToken).ConfigureAwait(false);
        var catalog = new InstanceCatalog(
            options.Region,
            Map(
                await types.ConfigureAwait(false),
                await offerings.ConfigureAwait(false),
                await prices.ConfigureAwait(false),
                zones,
                options.PriceList?.Types.ToDictionary(static type => type.Name, StringComparer.Ordinal) ?? [],
                live is null ? null : name => live.PerHour.TryGetValue(name, out var price) ? (price, live.BasisAt(timeProvider.GetUtcNow())) : null));
        foreach (var type in catalog.Types)
        {
            _architectures[type.Name] = type.Architecture;
        }

        return catalog;
    }

    /// <summary>The architecture of a type that was read, as Kubernetes writes it; null for one that was not.</summary>
    public string? FindArchitecture(string instanceType) => _architectures.GetValueOrDefault(instanceType);

    /// <summary>The architecture of a type, for which EC2 is asked if need be; null for one that no cell has.</summary>
    /// <exception cref="DriverException">It cannot be read.</exception>
    public async Task<string?> ReadArchitectureAsync(string instanceType, CancellationToken cancellationToken)
    {
        if (FindArchitecture(instanceType) is { } known)
        {
            return known;
        }

        var found = await ReadTypesAsync(cancellationToken, Ec2Filter.On("instance-type", instanceType)).ConfigureAwait(false);
        return found.Count > 0 && Architecture(found[0].ProcessorInfo?.SupportedArchitectures) is { } architecture ? _architectures[instanceType] = architecture : null;
    }

    internal static IReadOnlyList<InstanceType> Map(
        IEnumerable<InstanceTypeInfo> types,
        IEnumerable<InstanceTypeOffering> offerings,
        IEnumerable<SpotPrice> spotPrices,
        IReadOnlyCollection<string> zones,
        IReadOnlyDictionary<string, InstanceType> priceList,
        Func<string, (decimal, PriceBasis)?>? live = null)
    {
        var offered = offerings
            .Where(offering => offering.InstanceType is not null && offering.Location is { } zone && zones.Contains(zone))
            .ToLookup(static offering => (string)offering.InstanceType, static offering => offering.Location, StringComparer.Ordinal);
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
            .. types.Select(info => Map(info, offered, prices, priceList.GetValueOrDefault(info.InstanceType ?? ""), live?.Invoke(info.InstanceType ?? ""))).OfType<InstanceType>()
                .DistinctBy(static type => type.Name)
                .OrderBy(static type => type.Name, StringComparer.Ordinal),
        ];
    }

    /// <summary>The type, or null when no cell can be one: no 64-bit Linux, no root disk on EBS, not offered where cells can be.</summary>
    private static InstanceType? Map(
        InstanceTypeInfo info, ILookup<string, string> offered, Dictionary<(string, string), decimal> spotPrices, InstanceType? known, (decimal, PriceBasis)? live)
    {
        if (info is not { InstanceType: { } name, VCpuInfo.DefaultVCpus: > 0 and var processors, MemoryInfo.SizeInMiB: > 0 and var memory } ||
            Architecture(info.ProcessorInfo?.SupportedArchitectures) is not { } architecture ||
            info.SupportedRootDeviceTypes?.Contains("ebs") != true ||
            (info.SupportedVirtualizationTypes is { Count: > 0 } && !info.SupportedVirtualizationTypes.Contains("hvm")))
        {
            return null;
        }

        var offerings = offered[name].Distinct().Order(StringComparer.Ordinal).SelectMany(zone => Offer(info, name, zone, spotPrices, known, live)).ToList();
        return offerings.Count == 0
            ? null
            : new InstanceType
            {
                Name = name,
                MilliCpu = processors * 1000L,
                BaselineMilliCpu = Burstable.BaselineMilliCpu(name, processors),
                BurstPricePerCpuHour = Burstable.PricePerCpuHour(name),
                MemoryBytes = memory * Mib,
                UsableMemoryBytes = known?.UsableMemoryBytes,
                Architecture = architecture,
                MaxDiskBytes = MaxDiskBytes,
                LocalDiskBytes = (info.InstanceStorageInfo?.TotalSizeInGB ?? 0) * Gigabyte,
                Gpus = MapGpus(info.GpuInfo),
                Devices = MapDevices(info),
                NetworkMegabits = info.NetworkInfo?.NetworkCards?.Sum(static card => card.BaselineBandwidthInGbps) is > 0 and var gigabits ? (int)(gigabits * 1000) : null,
                // Of the one interface that a cell has.
                Addresses = info.NetworkInfo?.Ipv4AddressesPerInterface,
                Traits = (info.CurrentGeneration == false ? InstanceTypeTraits.PreviousGeneration : default) | (info.BareMetal == true ? InstanceTypeTraits.BareMetal : default),
                Offerings = offerings,
            };
    }

    private static GpuDevices? MapGpus(GpuInfo? info) =>
        info?.Gpus is [{ Name: { } model, Count: > 0 and var count } gpu, ..] && GpuResources.TryGetValue(gpu.Manufacturer ?? "", out var resource)
            ? new GpuDevices(resource, model, count, (gpu.MemoryInfo?.SizeInMiB ?? 0) * Mib)
            : null;

    private static Dictionary<string, int> MapDevices(InstanceTypeInfo info)
    {
        var devices = new Dictionary<string, int>();
        if (info.NeuronInfo?.NeuronDevices?.Sum(static device => device.Count) is > 0 and var neuron)
        {
            devices["aws.amazon.com/neuron"] = neuron;
        }

        if (info.GpuInfo?.Gpus?.Where(static gpu => gpu.Manufacturer == "Habana").Sum(static gpu => gpu.Count) is > 0 and var gaudi)
        {
            devices["habana.ai/gaudi"] = gaudi;
        }

        return devices;
    }

    private static IEnumerable<Offering> Offer(
        InstanceTypeInfo info, string name, string zone, Dictionary<(string, string), decimal> spotPrices, InstanceType? known, (decimal, PriceBasis)? live)
    {
        if (info.SupportedUsageClasses?.Contains("on-demand") == true)
        {
            // The same in all zones of a region.
            var listed = known?.Offerings.FirstOrDefault(static offering => offering.CapacityType == CapacityType.OnDemand);
            yield return live is var (price, basis)
                ? new Offering(zone, CapacityType.OnDemand, price) { Basis = basis }
                : new Offering(zone, CapacityType.OnDemand, listed?.PricePerHour) { Basis = listed?.Basis ?? default };
        }

        if (info.SupportedUsageClasses?.Contains("spot") == true)
        {
            yield return new Offering(zone, CapacityType.Spot, spotPrices.TryGetValue((name, zone), out var dollars) ? dollars : null);
        }
    }

    /// <summary>The architecture as Kubernetes writes it, of those that EC2 names; null when cells cannot have any of them.</summary>
    public static string? Architecture(List<string>? architectures) =>
        architectures is null ? null
        : architectures.Contains("x86_64") ? "amd64"
        : architectures.Contains("arm64") ? "arm64"
        : null;

    private Task<List<InstanceTypeInfo>> ReadTypesAsync(CancellationToken cancellationToken, params List<Filter> filters) => AwsCalls.PageAsync(
        "ec2:DescribeInstanceTypes",
        "read the instance types",
        calls.Ec2.Paginators.DescribeInstanceTypes(new DescribeInstanceTypesRequest { MaxResults = TypesOnOnePage, Filters = filters.Count > 0 ? filters : null }).Responses,
        static response => response.InstanceTypes,
        cancellationToken);

    private Task<List<InstanceTypeOffering>> ReadOfferingsAsync(IEnumerable<string> zones, CancellationToken cancellationToken) => AwsCalls.PageAsync(
        "ec2:DescribeInstanceTypeOfferings",
        "read where instance types are offered",
        calls.Ec2.Paginators.DescribeInstanceTypeOfferings(new DescribeInstanceTypeOfferingsRequest
        {
            MaxResults = OfferingsOnOnePage,
            LocationType = "availability-zone",
            Filters = [Ec2Filter.On("location", zones)],
        }).Responses,
        static response => response.InstanceTypeOfferings,
        cancellationToken);

    /// <summary>The spot prices of now: a history that begins now has the last price of each type and zone.</summary>
    private Task<List<SpotPrice>> ReadSpotPricesAsync(CancellationToken cancellationToken) => AwsCalls.PageAsync(
        "ec2:DescribeSpotPriceHistory",
        "read the spot prices",
        calls.Ec2.Paginators.DescribeSpotPriceHistory(new DescribeSpotPriceHistoryRequest
        {
            StartTime = timeProvider.GetUtcNow().UtcDateTime,
            ProductDescriptions = ["Linux/UNIX"],
            MaxResults = OfferingsOnOnePage,
        }).Responses,
        static response => response.SpotPriceHistory,
        cancellationToken);
}
