using Kip.Drivers;

namespace Kip.Testing;

/// <summary>An instance of the simulated cloud as the cloud itself knows it, at one moment.</summary>
/// <param name="Instance">What a list would show, whoever's it is and however fresh.</param>
/// <param name="LaunchToken">Of the launch that made it; null when it was planted.</param>
/// <param name="UserData">What it was booted with.</param>
/// <param name="IsEnrolled">Whether its agent has been enrolled.</param>
/// <param name="PodUid">UID of the pod its agent was given; null before that.</param>
public sealed record SimulatedInstance(Instance Instance, string? LaunchToken, string UserData, bool IsEnrolled, string? PodUid)
{
    /// <summary>The images that its agent was told to pull for a pod to come.</summary>
    public IReadOnlyList<string> PulledImages { get; init; } = [];

    /// <summary>Whether it costs money.</summary>
    public bool IsAlive => Instance.State != InstanceState.Terminated;

    /// <summary>When the cloud takes it back, as it has announced; null while it has not.</summary>
    public DateTimeOffset? ReclaimedAt { get; init; }
}
