namespace Kip.Agent.Status;

/// <summary>What a reader of logs needs to know of one container.</summary>
/// <param name="Name">As in the pod.</param>
/// <param name="Runs">How many times it was created; the log of run n (from 0) is <c>n.log</c>.</param>
/// <param name="Final">It has ended and will not run again.</param>
internal readonly record struct ContainerView(string Name, int Runs, bool Final);

/// <summary>What a reader of logs needs to know of the pod. Compared by value.</summary>
/// <param name="PodUid">Empty before the first pod.</param>
/// <param name="LogDirectory">Holds one directory for each container.</param>
/// <param name="Containers">Init containers first.</param>
internal sealed record PodView(string PodUid, string LogDirectory, IReadOnlyList<ContainerView> Containers)
{
    public static PodView None { get; } = new("", "", []);

    public bool Equals(PodView? other) =>
        other is not null && PodUid == other.PodUid && LogDirectory == other.LogDirectory && Containers.SequenceEqual(other.Containers);

    public override int GetHashCode() => HashCode.Combine(PodUid, Containers.Count);
}
