namespace Kip.Drivers;

/// <summary>One instance as the cloud sees it.</summary>
public sealed record Instance
{
    /// <summary>The cloud's identifier.</summary>
    public required string Id { get; init; }

    /// <summary>Where it is in its life.</summary>
    public required InstanceState State { get; init; }

    /// <summary>Name of its type.</summary>
    public required string InstanceType { get; init; }

    /// <summary>The zone it is in.</summary>
    public required string Zone { get; init; }

    /// <summary>How it is paid for.</summary>
    public CapacityType CapacityType { get; init; }

    /// <summary>Address the controller reaches the agent at; null until the cloud has given one.</summary>
    public string? Address { get; init; }

    /// <summary>Address reserved for the pod; null until the cloud has given one, or where the pod shares <see cref="Address"/>.</summary>
    public string? PodAddress { get; init; }

    /// <summary>All tags, <see cref="InstanceTags"/> among them.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }

    /// <summary>When the cloud accepted the launch.</summary>
    public required DateTimeOffset LaunchedAt { get; init; }

    /// <summary>Why it ended or failed, in the cloud's words; null when there is nothing to say.</summary>
    public string? StateReason { get; init; }
}

/// <summary>Where an instance is in its life. It only ever moves down this list.</summary>
public enum InstanceState
{
    /// <summary>Accepted, not running yet.</summary>
    Pending = 0,

    /// <summary>Running. The agent may still be starting.</summary>
    Running,

    /// <summary>Ending.</summary>
    Terminating,

    /// <summary>Ended; it costs nothing and will never run again.</summary>
    Terminated,
}

/// <summary>How an instance is paid for.</summary>
public enum CapacityType
{
    /// <summary>At the list price, until terminated.</summary>
    OnDemand = 0,

    /// <summary>At the spot price; the cloud may take it back.</summary>
    Spot,
}

/// <summary>The names of the tags that Kip sets on everything it makes, in the launch call itself.</summary>
public static class InstanceTags
{
    /// <summary>Whose it is. Compatible with the Go Kip.</summary>
    public const string ControllerId = "KipControllerID";

    /// <summary>The cell record's name. Compatible with the Go Kip, which called a cell a node.</summary>
    public const string CellId = "Node";

    /// <summary>Display name.</summary>
    public const string Name = "Name";

    /// <summary>Namespace of the pod the cell was made for.</summary>
    public const string PodNamespace = "KipNamespace";

    /// <summary>Name of the pod the cell was made for.</summary>
    public const string PodName = "KipPodName";
}
