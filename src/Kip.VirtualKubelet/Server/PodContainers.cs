using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Server;

/// <summary>Questions about the containers of a pod, of all three kinds.</summary>
internal static class PodContainers
{
    public static bool HasContainer(this Pod pod, string name) =>
        (pod.Spec.Containers ?? []).Any(container => container.Name == name)
        || (pod.Spec.InitContainers ?? []).Any(container => container.Name == name)
        || (pod.Spec.EphemeralContainers ?? []).Any(container => container.Name == name);

    public static ContainerStatus? FindContainerStatus(this Pod pod, string name) =>
        pod.AllContainerStatuses().FirstOrDefault(status => status.Name == name);

    public static IEnumerable<ContainerStatus> AllContainerStatuses(this Pod pod) =>
        (pod.Status?.InitContainerStatuses ?? [])
            .Concat(pod.Status?.ContainerStatuses ?? [])
            .Concat(pod.Status?.EphemeralContainerStatuses ?? []);

    public static bool IsRunning(this Pod pod, string container) => pod.FindContainerStatus(container)?.State?.Running is not null;

    /// <summary>Why a container has no log to show, in a kubelet's words; null when it has one.</summary>
    public static string? WhyNoLog(this Pod pod, string container, bool previous)
    {
        var name = pod.Metadata.Name;
        if (pod.FindContainerStatus(container) is not { } status)
        {
            return $"container \"{container}\" in pod \"{name}\" is not available";
        }

        var last = status.LastState?.Terminated;
        return status.State switch
        {
            _ when previous => string.IsNullOrEmpty(last?.ContainerID)
                ? $"previous terminated container \"{container}\" in pod \"{name}\" not found"
                : null,
            { Running: not null } => null,
            { Terminated: { } ended } => string.IsNullOrEmpty(ended.ContainerID) && last is null
                ? $"container \"{container}\" in pod \"{name}\" is terminated"
                : null,
            _ when last is not null => null,
            { Waiting.Reason: "ErrImagePull" } => $"container \"{container}\" in pod \"{name}\" is waiting to start: image can't be pulled",
            { Waiting.Reason: "ImagePullBackOff" } =>
                $"container \"{container}\" in pod \"{name}\" is waiting to start: trying and failing to pull image",
            { Waiting.Reason: { } reason } => $"container \"{container}\" in pod \"{name}\" is waiting to start: {reason}",
            _ => $"container \"{container}\" in pod \"{name}\" is waiting to start - no logs yet",
        };
    }
}
