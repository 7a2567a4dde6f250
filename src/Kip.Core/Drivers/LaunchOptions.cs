namespace Kip.Drivers;

/// <summary>What a pod asks of its machine besides its size, by annotations. A driver passes over what its cloud has nothing like.</summary>
public sealed record LaunchOptions
{
    /// <summary>
    /// Whether the machine must be on hardware that no other customer of the cloud uses. Asked only of drivers that have it
    /// (<see cref="DriverDescription.HasDedicatedHosts"/>).
    /// </summary>
    public bool DedicatedHost { get; init; }

    /// <summary>Groups of firewall rules, by the cloud's identifiers, instead of the configured ones; empty for those.</summary>
    public IReadOnlyList<string> SecurityGroups { get; init; } = [];

    /// <summary>The machine's identity in its cloud (AWS: an instance profile, by name or ARN) instead of the configured one; null for that.</summary>
    public string? InstanceProfile { get; init; }

    /// <summary>True for no public address, false for one where the network has them, null for what is configured.</summary>
    public bool? PrivateAddressOnly { get; init; }

    /// <summary>
    /// Ranges of addresses, such as <c>10.9.0.0/16</c>, that the network is to send to the machine; see <see cref="ICellRouter"/>, by which they
    /// are routed once it runs. Of no concern to the launch itself.
    /// </summary>
    public IReadOnlyList<string> Routes { get; init => field = value ?? []; } = []; // a record from before has none
}
