namespace Kip.Testing;

/// <summary>How one simulated instance fares. All times count from the accepted launch; null is never.</summary>
public sealed record InstancePlan
{
    /// <summary>When its address is known. Default at once.</summary>
    public TimeSpan? AddressAfter { get; init; } = TimeSpan.Zero;

    /// <summary>When it runs. Default 1 s.</summary>
    public TimeSpan? RunningAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>When its agent answers. Default 2 s.</summary>
    public TimeSpan? AgentReadyAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>When it ends by itself. Default never.</summary>
    public TimeSpan? DiesAfter { get; init; }

    /// <summary>What the cloud says when it has ended by itself.</summary>
    public string DeathReason { get; init; } = "Server.InternalError: the machine failed";

    /// <summary>How long a termination takes from its acceptance. Default 1 s.</summary>
    public TimeSpan TerminationTime { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>An instance whose boot never finishes: it has an address and runs, and its agent never answers.</summary>
    public static InstancePlan NeverBoots { get; } = new() { AgentReadyAfter = null };
}
