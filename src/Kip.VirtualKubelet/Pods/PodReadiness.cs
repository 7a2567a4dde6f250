using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Pods;

namespace Kip.VirtualKubelet.Pods;

/// <summary>
/// Whether a pod with readiness gates is ready: its cell says so of its containers, and the API server has the conditions that the gates
/// name, which others set there.
/// </summary>
internal static class PodReadiness
{
    /// <summary>A status as its cell tells it, with what the gates say.</summary>
    /// <param name="status">The status; it is not changed.</param>
    /// <param name="pod">As the API server has it, or null when that is not known.</param>
    /// <param name="now">When a change happens.</param>
    public static PodStatus Of(PodStatus status, Pod? pod, DateTimeOffset now)
    {
        if (pod?.Spec.ReadinessGates is not { Count: > 0 } || Evaluate(status, pod) is not { } ready)
        {
            return status;
        }

        var told = Find(pod.Status, PodConditionType.Ready);
        ready.LastTransitionTime = told?.Status == ready.Status ? told.LastTransitionTime : now;
        var gated = KubernetesJson.Clone(status);
        gated.Conditions!.RemoveAll(static c => c.Type == PodConditionType.Ready);
        gated.Conditions.Add(ready);
        return gated;
    }

    /// <summary>Whether what the API server has of a pod is what its gates say.</summary>
    public static bool IsTold(Pod pod) =>
        pod.Spec.ReadinessGates is not { Count: > 0 }
        || pod.Status is null
        || Evaluate(pod.Status, pod) is not { } ready
        || (Find(pod.Status, PodConditionType.Ready) is { } told && (told.Status, told.Reason, told.Message) == (ready.Status, ready.Reason, ready.Message));

    private static PodCondition? Evaluate(PodStatus status, Pod pod)
    {
        if (Find(status, PodConditionType.ContainersReady) is not { } containers)
        {
            return null;
        }

        var closed = containers.Status == "True" ? ReadinessGates.Explain(pod.Spec, pod.Status?.Conditions) : null;
        return closed is null
            ? new PodCondition { Type = PodConditionType.Ready, Status = containers.Status, Reason = containers.Reason, Message = containers.Message }
            : new PodCondition { Type = PodConditionType.Ready, Status = "False", Reason = ReadinessGates.NotReady, Message = closed };
    }

    private static PodCondition? Find(PodStatus? status, string type) => status?.Conditions?.Find(c => c.Type == type);
}
