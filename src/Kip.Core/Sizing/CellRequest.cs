using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>What the cell of one pod must be. <see cref="Pods.PodRequirements"/> reads it from a pod.</summary>
public sealed record CellRequest
{
    /// <summary>What the pod effectively asks for.</summary>
    public required ResourceRequest Pod { get; init; }

    /// <summary>What the cell itself takes beside the pod.</summary>
    public ResourceRequest Overhead { get; init; } = ResourceRequest.CellOverhead;

    /// <summary>The least size of the root disk in bytes, whatever the pod asks for.</summary>
    public long MinDiskBytes { get; init; }

    /// <summary>Extended resources that a machine must have, <c>nvidia.com/gpu</c> among them, and how many.</summary>
    public IReadOnlyDictionary<string, long> Devices { get; init; } = None;

    /// <summary>How the cell may be paid for, the preferred first: of a later one a candidate ranks after all of an earlier one.</summary>
    public IReadOnlyList<CapacityType> CapacityTypes { get; init; } = [CapacityType.OnDemand];

    /// <summary>Where <see cref="CapacityTypes"/> was said, for messages.</summary>
    public string CapacitySource { get; init; } = "on-demand capacity, the default";

    /// <summary>Whether the cell must be on a host of its own.</summary>
    public bool DedicatedHost { get; init; }

    /// <summary>
    /// The one instance type that the pod names; it goes before what the pod asks for, which it need not have. Null when it names none.
    /// </summary>
    public string? InstanceType { get; init; }

    /// <summary>Whether previous generations of machines are taken too. They are when the pod names types, by pattern or label.</summary>
    public bool AllowsPreviousGenerations { get; init; }

    /// <summary>What else the pod says about its machine; all must hold.</summary>
    public IReadOnlyList<PlacementRule> Rules { get; init; } = [];

    /// <summary>The most a cell may cost, in dollars per hour: more, or an unknown price, is excluded. Null for no limit.</summary>
    public decimal? MaxPricePerHour { get; init; }

    /// <summary>What else the pod asks of its machine at the launch; null for nothing.</summary>
    public LaunchOptions? Options { get; init; }

    /// <summary>Pod and cell together.</summary>
    public ResourceRequest Total => Pod + Overhead;

    /// <summary>Size of the root disk in bytes.</summary>
    public long DiskBytes => Math.Max(MinDiskBytes, Total.DiskBytes);

    private static IReadOnlyDictionary<string, long> None { get; } = new Dictionary<string, long>();
}
