namespace Kip.Drivers;

/// <summary>A kind of machine that a cloud offers.</summary>
public sealed record InstanceType
{
    /// <summary>The cloud's name for it.</summary>
    public required string Name { get; init; }

    /// <summary>Processors in thousandths of a vCPU.</summary>
    public required long MilliCpu { get; init; }

    /// <summary>Memory in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Architecture as Kubernetes writes it in <c>kubernetes.io/arch</c>, for example <c>amd64</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>Largest root disk in bytes, or 0 where the disk can be of any size.</summary>
    public long MaxDiskBytes { get; init; }

    /// <summary>Where it can be had, how, and at what price.</summary>
    public required IReadOnlyList<Offering> Offerings { get; init; }
}

/// <summary>One way to have an instance type.</summary>
/// <param name="Zone">The zone.</param>
/// <param name="CapacityType">How it is paid for.</param>
/// <param name="PricePerHour">Dollars per hour, or null when the price is not known.</param>
public sealed record Offering(string Zone, CapacityType CapacityType, decimal? PricePerHour);
