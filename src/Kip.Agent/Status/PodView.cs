namespace Kip.Agent.Status;

/// <summary>What readers of logs and users of sessions need to know of one container.</summary>
/// <param name="Name">As in the pod.</param>
/// <param name="Runs">How many times it was created; the log of run n (from 0) is <c>n.log</c>.</param>
/// <param name="Final">It has ended and will not run again.</param>
/// <param name="RunningId">The runtime's name of the run that is under way; null when it does not run.</param>
internal readonly record struct ContainerView(string Name, int Runs, bool Final, string? RunningId);

/// <summary>What readers of logs and users of sessions need to know of the pod. Compared by value.</summary>
/// <param name="PodUid">Empty before the first pod.</param>
/// <param name="LogDirectory">Holds one directory for each container.</param>
/// <param name="SandboxId">The sandbox that is up; null when there is none.</param>
/// <param name="Containers">Init containers first, ephemeral ones last.</param>
internal sealed record PodView(string PodUid, string LogDirectory, string? SandboxId, IReadOnlyList<ContainerView> Containers)
{
    public static PodView None { get; } = new("", "", null, []);

    public bool Equals(PodView? other) =>
        other is not null && PodUid == other.PodUid && LogDirectory == other.LogDirectory && SandboxId == other.SandboxId
        && Containers.SequenceEqual(other.Containers);

    public override int GetHashCode() => HashCode.Combine(PodUid, Containers.Count);
}
