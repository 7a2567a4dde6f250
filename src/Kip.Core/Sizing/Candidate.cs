using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>One way to have a cell: a type, in a zone, paid for in one way.</summary>
/// <param name="Type">The type.</param>
/// <param name="Offering">Zone, capacity type and list price.</param>
/// <param name="Surcharge">Dollars per hour for the processors that the pod asks for above the type's baseline; 0 for most types.</param>
public readonly record struct Candidate(InstanceType Type, Offering Offering, decimal Surcharge)
{
    /// <summary>What the cell costs, in dollars per hour; null when the price is not known.</summary>
    public decimal? PricePerHour => Offering.PricePerHour + Surcharge;

    /// <summary>
    /// The order of candidates of one capacity type: by price, the unknown last; then by least waste (processors, memory, GPUs); then by
    /// name, zone and GPU model, so that it is always the same.
    /// </summary>
    internal static int Compare(Candidate left, Candidate right)
    {
        var (price, otherPrice) = (left.PricePerHour, right.PricePerHour);
        var order = price is { } known && otherPrice is { } otherKnown ? known.CompareTo(otherKnown) : (price is null).CompareTo(otherPrice is null);
        if (order == 0)
        {
            order = left.Type.MilliCpu.CompareTo(right.Type.MilliCpu);
        }

        if (order == 0)
        {
            order = left.Type.MemoryBytes.CompareTo(right.Type.MemoryBytes);
        }

        if (order == 0)
        {
            order = (left.Type.Gpus?.Count ?? 0).CompareTo(right.Type.Gpus?.Count ?? 0);
        }

        if (order == 0)
        {
            order = string.CompareOrdinal(left.Type.Name, right.Type.Name);
        }

        if (order == 0)
        {
            order = string.CompareOrdinal(left.Type.Gpus?.Model, right.Type.Gpus?.Model);
        }

        return order == 0 ? string.CompareOrdinal(left.Offering.Zone, right.Offering.Zone) : order;
    }
}
