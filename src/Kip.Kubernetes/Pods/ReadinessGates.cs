using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Pods;

/// <summary>Readiness gates: a pod whose containers are ready is ready once every condition that it names is true. Others set those.</summary>
public static class ReadinessGates
{
    /// <summary>The kubelet's reason for a pod that is not ready because a gate is closed.</summary>
    public const string NotReady = "ReadinessGatesNotReady";

    /// <summary>What the gates of a pod wait for, in the kubelet's words; null when all are open.</summary>
    /// <param name="spec">The pod.</param>
    /// <param name="conditions">The conditions that it has.</param>
    public static string? Explain(PodSpec spec, IReadOnlyCollection<PodCondition>? conditions)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var closed = (spec.ReadinessGates ?? [])
            .Select(gate => (gate.ConditionType, conditions?.FirstOrDefault(c => c.Type == gate.ConditionType)?.Status))
            .Where(static gate => gate.Status != "True")
            .Select(static gate => gate.Status is null
                ? $"corresponding condition of pod readiness gate \"{gate.ConditionType}\" does not exist."
                : $"the status of pod readiness gate \"{gate.ConditionType}\" is not \"True\", but {gate.Status}")
            .ToList();
        return closed.Count == 0 ? null : string.Join(", ", closed);
    }
}
