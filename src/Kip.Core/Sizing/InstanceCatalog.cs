using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>
/// What a cloud offers in one region. Made once and asked often: the types are put in the order of their prices here, so that
/// <see cref="InstanceSelector"/> finds the cheapest that fits without looking at them all. Immutable.
/// </summary>
public sealed class InstanceCatalog
{
    private readonly Listing[] _onDemand;
    private readonly Listing[] _spot;

    /// <summary>Makes a catalog.</summary>
    /// <param name="region">The region, as the cloud writes it.</param>
    /// <param name="types">The types, their names unique.</param>
    /// <param name="customFamilies">Machines of any size, where the cloud has them.</param>
    /// <param name="gpuAttachments">GPUs that machines are given at launch, where the cloud has them.</param>
    public InstanceCatalog(
        string region,
        IReadOnlyList<InstanceType> types,
        IReadOnlyList<CustomMachineFamily>? customFamilies = null,
        IReadOnlyList<GpuAttachment>? gpuAttachments = null)
    {
        ArgumentNullException.ThrowIfNull(types);
        Region = region;
        Types = types;
        CustomFamilies = customFamilies ?? [];
        GpuAttachments = gpuAttachments ?? [];
        WithGpus = [.. GpuAttachments
            .SelectMany(gpus => types
                .Where(type => type.Name.StartsWith(gpus.Family + "-", StringComparison.Ordinal))
                .Select(gpus.AttachTo)
                .OfType<InstanceType>())];
        _onDemand = Sort(types.Concat(WithGpus), CapacityType.OnDemand);
        _spot = Sort(types.Concat(WithGpus), CapacityType.Spot);
    }

    /// <summary>The region, as the cloud writes it.</summary>
    public string Region { get; }

    /// <summary>The types.</summary>
    public IReadOnlyList<InstanceType> Types { get; }

    /// <summary>Machines of any size; empty for none.</summary>
    public IReadOnlyList<CustomMachineFamily> CustomFamilies { get; }

    /// <summary>GPUs that machines are given at launch; empty for none.</summary>
    public IReadOnlyList<GpuAttachment> GpuAttachments { get; }

    /// <summary>The types with each of the <see cref="GpuAttachments"/> that they take.</summary>
    internal IReadOnlyList<InstanceType> WithGpus { get; }

    /// <summary>The type of that name; null when there is none.</summary>
    public InstanceType? Find(string name) => Types.FirstOrDefault(type => type.Name == name);

    internal ReadOnlySpan<Listing> Listings(CapacityType capacityType) => capacityType == CapacityType.Spot ? _spot : _onDemand;

    private static Listing[] Sort(IEnumerable<InstanceType> types, CapacityType capacityType)
    {
        var listings = types
            .SelectMany(type => type.Offerings
                .Where(offering => offering.CapacityType == capacityType)
                .GroupBy(static offering => offering.PricePerHour ?? -1)
                .Select(offerings => new Listing(type, [.. offerings.OrderBy(static offering => offering.Zone, StringComparer.Ordinal)])))
            .ToArray();
        Array.Sort(listings, static (left, right) => Candidate.Compare(left.First, right.First));
        return listings;
    }
}

/// <summary>One type at one price: what the search for the cheapest goes through, with what it looks at first side by side in memory.</summary>
internal readonly struct Listing
{
    public Listing(InstanceType type, Offering[] offerings)
    {
        Type = type;
        Offerings = offerings;
        MilliCpu = type.MilliCpu;
        UsableMemoryBytes = MemorySizes.Usable(type);
        Gpus = type.Gpus?.Count ?? 0;
    }

    public long MilliCpu { get; }

    public long UsableMemoryBytes { get; }

    public int Gpus { get; }

    public InstanceType Type { get; }

    /// <summary>At the same price, by zone.</summary>
    public Offering[] Offerings { get; }

    public Candidate First => new(Type, Offerings[0], 0);
}
