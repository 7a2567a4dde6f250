using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Pods;

/// <summary>Statuses of pods of which no cell has anything to say.</summary>
internal static class PodStatuses
{
    /// <summary>A pod that waits for its cell.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="reason">Why, in one word; shown by <c>kubectl get pods</c>.</param>
    /// <param name="message">Why, in a sentence, or null.</param>
    public static PodStatus Pending(Pod pod, string reason, string? message) => new()
    {
        Phase = PodPhase.Pending,
        Conditions =
        [
            Condition(PodConditionType.Ready, pod),
            Condition(PodConditionType.ContainersReady, pod),
        ],
        InitContainerStatuses = pod.Spec.InitContainers is { Count: > 0 } inits ? [.. inits.Select(c => Waiting(c, reason, message))] : null,
        ContainerStatuses = [.. pod.Spec.Containers.Select(c => Waiting(c, reason, message))],
    };

    private static PodCondition Condition(string type, Pod pod) => new()
    {
        Type = type,
        Status = "False",
        Reason = "ContainersNotReady",
        Message = $"containers with unready status: [{string.Join(' ', pod.Spec.Containers.Select(static c => c.Name))}]",
    };

    private static ContainerStatus Waiting(Container container, string reason, string? message) => new()
    {
        Name = container.Name,
        Image = container.Image ?? "",
        ImageID = "",
        State = new ContainerState { Waiting = new ContainerStateWaiting { Reason = reason, Message = message } },
    };
}
