using Kip.Sizing;

namespace Kip.Drivers;

/// <summary>A kind of machine that a cloud offers.</summary>
public sealed record InstanceType
{
    /// <summary>The cloud's name for it.</summary>
    public required string Name { get; init; }

    /// <summary>Processors in thousandths of a vCPU.</summary>
    public required long MilliCpu { get; init; }

    /// <summary>
    /// Processors that may be used without end, in thousandths of a vCPU; null where that is all of them. Types with processor credits
    /// or a shared core have less.
    /// </summary>
    public long? BaselineMilliCpu { get; init; }

    /// <summary>
    /// Dollars for an hour of one vCPU above <see cref="BaselineMilliCpu"/>; null where more than the baseline cannot be had for long, so
    /// that only pods within the baseline fit.
    /// </summary>
    public decimal? BurstPricePerCpuHour { get; init; }

    /// <summary>Memory in bytes, as the cloud sells it.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>
    /// Memory in bytes that Linux has on it, after firmware and kernel took theirs. Null where nobody measured it:
    /// <see cref="MemorySizes.Usable"/> then estimates it.
    /// </summary>
    public long? UsableMemoryBytes { get; init; }

    /// <summary>Architecture as Kubernetes writes it in <c>kubernetes.io/arch</c>, for example <c>amd64</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>Largest root disk in bytes, or 0 where the disk can be of any size.</summary>
    public long MaxDiskBytes { get; init; }

    /// <summary>Disks that come with the machine and end with it, in bytes together. 0 for none.</summary>
    public long LocalDiskBytes { get; init; }

    /// <summary>Its GPUs, all of one model; null for none.</summary>
    public GpuDevices? Gpus { get; init; }

    /// <summary>
    /// What else it has that a pod asks for by the name of an extended resource, for example <c>aws.amazon.com/neuron</c>, and how many.
    /// </summary>
    public IReadOnlyDictionary<string, int> Devices { get; init; } = NoDevices;

    /// <summary>Network bandwidth in Mbit/s that may be used without end; null where it is not known.</summary>
    public int? NetworkMegabits { get; init; }

    /// <summary>IPv4 addresses that one machine can have, its own included; null where it is not known.</summary>
    public int? Addresses { get; init; }

    /// <summary>What a pod must say for it to be taken; nothing by default.</summary>
    public InstanceTypeTraits Traits { get; init; }

    /// <summary>Where it can be had, how, and at what price.</summary>
    public required IReadOnlyList<Offering> Offerings { get; init; }

    private static IReadOnlyDictionary<string, int> NoDevices { get; } = new Dictionary<string, int>();
}

/// <summary>The GPUs of an instance type.</summary>
/// <param name="Resource">The extended resource that pods ask for them by, for example <c>nvidia.com/gpu</c>.</param>
/// <param name="Model">The model as the cloud names it, for example <c>nvidia-tesla-t4</c> or <c>A10G</c>.</param>
/// <param name="Count">How many.</param>
/// <param name="MemoryBytes">Memory of each in bytes; 0 where it is not known.</param>
public sealed record GpuDevices(string Resource, string Model, int Count, long MemoryBytes)
{
    /// <summary>
    /// Whether the type as the cloud sells it has no GPUs and these are attached to it at the launch, which the launch must ask for
    /// (Compute Engine's N1).
    /// </summary>
    public bool Attached { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Count} {Model}";
}

/// <summary>What sets a type apart so far that a pod has to ask for it.</summary>
[Flags]
public enum InstanceTypeTraits
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The cloud calls it previous, deprecated or retiring: taken only by name (<c>pod.elotl.co/instance-type</c>).</summary>
    PreviousGeneration = 1,

    /// <summary>A whole machine without a hypervisor.</summary>
    BareMetal = 2,

    /// <summary>To be had on dedicated hosts only: taken only with <c>pod.elotl.co/launch-type: dedicated</c>.</summary>
    DedicatedHostOnly = 4,
}

/// <summary>One way to have an instance type.</summary>
/// <param name="Zone">The zone; empty where the cloud has none there, or the source does not say.</param>
/// <param name="CapacityType">How it is paid for.</param>
/// <param name="PricePerHour">Dollars per hour, or null when the price is not known.</param>
public sealed record Offering(string Zone, CapacityType CapacityType, decimal? PricePerHour)
{
    /// <summary>Where the price is from.</summary>
    public PriceBasis Basis { get; init; }
}

/// <summary>How much a price is worth.</summary>
/// <param name="Month">The month its source is of; null for a price that the cloud itself gave just now.</param>
/// <param name="IsDerived">Whether it was worked out from other prices instead of read.</param>
public readonly record struct PriceBasis(DateOnly? Month, bool IsDerived)
{
    /// <summary>For example <c>2026-08</c>, or <c>2025-06~</c> for a derived one; <c>live</c> for the cloud's own.</summary>
    public override string ToString() => Month is { } month
        ? month.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture) + (IsDerived ? "~" : "")
        : "live";
}
