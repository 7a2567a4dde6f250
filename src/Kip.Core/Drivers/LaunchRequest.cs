namespace Kip.Drivers;

/// <summary>All that a driver needs to launch one cell.</summary>
public sealed record LaunchRequest
{
    /// <summary>
    /// Makes the launch idempotent: 32 lower-case hexadecimal digits, the same for every try of one launch and never used for another.
    /// Pass it on as the cloud's own idempotency token.
    /// </summary>
    public required string LaunchToken { get; init; }

    /// <summary>Name of the instance type, from the catalog.</summary>
    public required string InstanceType { get; init; }

    /// <summary>GPUs to attach, where the type itself has none (<see cref="Sizing.InstanceCatalog.GpuAttachments"/>); null for none.</summary>
    public GpuDevices? AttachedGpus { get; init; }

    /// <summary>The zone to launch in, from the catalog.</summary>
    public required string Zone { get; init; }

    /// <summary>How to pay for it.</summary>
    public CapacityType CapacityType { get; init; }

    /// <summary>From <see cref="ICellDriver.ResolveImageAsync"/>.</summary>
    public required string ImageId { get; init; }

    /// <summary>Size of the root disk in bytes; a driver rounds up to what the cloud has.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>
    /// What the agent reads at its start, a JSON text (<see cref="Agents.CellBootConfiguration"/>): hand it over as user data,
    /// wrapped as the cell image expects it.
    /// </summary>
    public required string UserData { get; init; }

    /// <summary>What else the pod asks of its machine; null for nothing.</summary>
    public LaunchOptions? Options { get; init; }

    /// <summary>Tags to set in the launch call itself on everything it makes.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }
}
