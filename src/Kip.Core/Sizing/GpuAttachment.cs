using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>GPUs that a machine can be given at its launch, within limits of the machine's size (Compute Engine's N1).</summary>
public sealed record GpuAttachment
{
    /// <summary>The GPUs.</summary>
    public required GpuDevices Gpus { get; init; }

    /// <summary>Family of the machines that take them: types named <c>{Family}-…</c>, and the custom machines of that family.</summary>
    public required string Family { get; init; }

    /// <summary>Most vCPUs of such a machine.</summary>
    public required int MaxVCpus { get; init; }

    /// <summary>Most memory of such a machine in bytes.</summary>
    public required long MaxMemoryBytes { get; init; }

    /// <summary>The zones; one that is empty where they are not known.</summary>
    public required IReadOnlyList<string> Zones { get; init; }

    /// <summary>Dollars per hour for all of them on demand; null when it is not known.</summary>
    public decimal? OnDemandPerHour { get; init; }

    /// <summary>Dollars per hour for all of them as spot capacity; null when it is not known.</summary>
    public decimal? SpotPerHour { get; init; }

    /// <summary>Where the prices are from.</summary>
    public PriceBasis Basis { get; init; }

    /// <summary>The type with these GPUs, at the price of both, in the zones of both; null when it does not take them.</summary>
    public InstanceType? AttachTo(InstanceType type)
    {
        ArgumentNullException.ThrowIfNull(type);
        if (type.Gpus is not null || type.MilliCpu > MaxVCpus * 1000L || type.MemoryBytes > MaxMemoryBytes)
        {
            return null;
        }

        var offerings = new List<Offering>();
        foreach (var offering in type.Offerings)
        {
            var price = offering.CapacityType == CapacityType.Spot ? SpotPerHour : OnDemandPerHour;
            foreach (var zone in Zones)
            {
                // A zone that one side does not name is the other side's.
                if (zone == offering.Zone || zone.Length == 0 || offering.Zone.Length == 0)
                {
                    offerings.Add(new Offering(zone.Length > 0 ? zone : offering.Zone, offering.CapacityType, offering.PricePerHour + price)
                    {
                        Basis = offering.Basis with { IsDerived = offering.Basis.IsDerived || Basis.IsDerived },
                    });
                }
            }
        }

        return offerings.Count == 0 ? null : type with { Gpus = Gpus with { Attached = true }, Offerings = offerings };
    }
}
