using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>One way to have a cell: a type, in a zone, paid for in one way.</summary>
/// <param name="Type">The type.</param>
/// <param name="Offering">Zone, capacity type and price.</param>
public sealed record Candidate(InstanceType Type, Offering Offering);

/// <summary>Finds the cells that fit, cheapest first.</summary>
public static class InstanceSelector
{
    /// <summary>
    /// All candidates that fit, cheapest first; those without a price last. Ties go to the least processors, then the least memory,
    /// then by name and zone, so that the order is always the same.
    /// </summary>
    /// <param name="request">What the cell must have, the cell's own overhead included.</param>
    /// <param name="catalog">What the cloud offers.</param>
    /// <param name="capacityType">How to pay.</param>
    public static IReadOnlyList<Candidate> Rank(ResourceRequest request, IEnumerable<InstanceType> catalog, CapacityType capacityType = CapacityType.OnDemand)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(catalog);
        var fitting = new List<Candidate>();
        foreach (var type in catalog)
        {
            if (!Fits(request, type))
            {
                continue;
            }

            foreach (var offering in type.Offerings)
            {
                if (offering.CapacityType == capacityType)
                {
                    fitting.Add(new Candidate(type, offering));
                }
            }
        }

        fitting.Sort(Compare);
        return fitting;
    }

    /// <summary>A sentence that says what was asked and what the largest type has, for when nothing fits.</summary>
    public static string ExplainNoFit(ResourceRequest request, IEnumerable<InstanceType> catalog)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(catalog);
        InstanceType? largest = null;
        foreach (var type in catalog)
        {
            if (largest is null || (type.MilliCpu, type.MemoryBytes).CompareTo((largest.MilliCpu, largest.MemoryBytes)) > 0)
            {
                largest = type;
            }
        }

        var asked = $"no instance type has {request} (the pod's requests and {ResourceRequest.CellOverhead.MemoryBytes >> 20} MiB for the cell itself)";
        return largest is null
            ? $"{asked}: the catalog is empty"
            : $"{asked}; the largest available is {largest.Name} with {ResourceRequest.Describe(largest.MilliCpu, largest.MemoryBytes)}";
    }

    private static bool Fits(ResourceRequest request, InstanceType type) =>
        type.MilliCpu >= request.MilliCpu
        && type.MemoryBytes >= request.MemoryBytes
        && (type.MaxDiskBytes == 0 || type.MaxDiskBytes >= request.DiskBytes);

    private static int Compare(Candidate left, Candidate right)
    {
        var byPrice = (left.Offering.PricePerHour ?? decimal.MaxValue).CompareTo(right.Offering.PricePerHour ?? decimal.MaxValue);
        if (byPrice != 0)
        {
            return byPrice;
        }

        var byWaste = (left.Type.MilliCpu, left.Type.MemoryBytes).CompareTo((right.Type.MilliCpu, right.Type.MemoryBytes));
        if (byWaste != 0)
        {
            return byWaste;
        }

        var byName = string.CompareOrdinal(left.Type.Name, right.Type.Name);
        return byName != 0 ? byName : string.CompareOrdinal(left.Offering.Zone, right.Offering.Zone);
    }
}
