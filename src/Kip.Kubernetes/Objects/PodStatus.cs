using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>What is observed of a pod.</summary>
public sealed class PodStatus : ApiObject
{
    /// <summary>The generation of the pod that this status is about.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary>Where the pod is in its life; see <see cref="PodPhase"/>.</summary>
    public string? Phase { get; set; }

    /// <summary>Conditions, such as Ready.</summary>
    public List<PodCondition>? Conditions { get; set; }

    /// <summary>Why the pod is as it is, for people.</summary>
    public string? Message { get; set; }

    /// <summary>Why the pod is as it is, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>The node on which room is being made.</summary>
    public string? NominatedNodeName { get; set; }

    /// <summary>Address of the node.</summary>
    public string? HostIP { get; set; }

    /// <summary>Addresses of the node.</summary>
    public List<HostIP>? HostIPs { get; set; }

    /// <summary>Address of the pod.</summary>
    public string? PodIP { get; set; }

    /// <summary>Addresses of the pod, the first one is <see cref="PodIP"/>.</summary>
    public List<PodIP>? PodIPs { get; set; }

    /// <summary>When the kubelet took the pod.</summary>
    public DateTimeOffset? StartTime { get; set; }

    /// <summary>Status of each init container.</summary>
    public List<ContainerStatus>? InitContainerStatuses { get; set; }

    /// <summary>Status of each container.</summary>
    public List<ContainerStatus>? ContainerStatuses { get; set; }

    /// <summary>Guaranteed, Burstable or BestEffort.</summary>
    public string? QosClass { get; set; }

    /// <summary>Status of each ephemeral container.</summary>
    public List<ContainerStatus>? EphemeralContainerStatuses { get; set; }

    /// <summary>State of a change of resources.</summary>
    public string? Resize { get; set; }

    /// <summary>Status of resource claims; carried as it is.</summary>
    public JsonElement? ResourceClaimStatuses { get; set; }

    /// <summary>Status of extended resources backed by claims; carried as it is.</summary>
    public JsonElement? ExtendedResourceClaimStatus { get; set; }

    /// <summary>Resources set aside for the pod.</summary>
    public Dictionary<string, Quantity>? AllocatedResources { get; set; }

    /// <summary>Resources in force for the pod.</summary>
    public ResourceRequirements? Resources { get; set; }

    /// <summary>A copy of it for a pod that is lost: it has failed and is not ready; of its containers it says what was last known.</summary>
    /// <param name="reason">Why, in one word.</param>
    /// <param name="message">Why, in a sentence.</param>
    public PodStatus AsFailed(string reason, string message)
    {
        var status = KubernetesJson.Clone(this);
        (status.Phase, status.Reason, status.Message) = (PodPhase.Failed, reason, message);
        foreach (var condition in status.Conditions ?? [])
        {
            if (condition.Type is PodConditionType.Ready or PodConditionType.ContainersReady)
            {
                (condition.Status, condition.Reason) = ("False", "PodFailed");
            }
        }

        return status;
    }
}

/// <summary>One condition of a pod.</summary>
public sealed class PodCondition : ApiObject
{
    /// <summary>The condition; see <see cref="PodConditionType"/>.</summary>
    public string Type { get; set => field = value ?? ""; } = "";

    /// <summary>The generation of the pod that this condition is about.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary>True, False or Unknown.</summary>
    public string Status { get; set => field = value ?? ""; } = "";

    /// <summary>When it was last looked at.</summary>
    public DateTimeOffset? LastProbeTime { get; set; }

    /// <summary>When the status last changed.</summary>
    public DateTimeOffset? LastTransitionTime { get; set; }

    /// <summary>Why, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>Why, for people.</summary>
    public string? Message { get; set; }
}

/// <summary>An address of a pod.</summary>
public sealed class PodIP : ApiObject
{
    /// <summary>The address.</summary>
    public string Ip { get; set => field = value ?? ""; } = "";
}

/// <summary>An address of a node.</summary>
public sealed class HostIP : ApiObject
{
    /// <summary>The address.</summary>
    public string Ip { get; set => field = value ?? ""; } = "";
}
