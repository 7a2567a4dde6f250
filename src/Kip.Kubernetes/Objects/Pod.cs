namespace Kip.Kubernetes.Objects;

/// <summary>A pod: containers that share one cell, one network address and one set of volumes (v1/Pod).</summary>
public sealed class Pod : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c> for a pod.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Pod</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace, labels and what else identifies the pod.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>What is wanted.</summary>
    public PodSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>What is observed.</summary>
    public PodStatus? Status { get; set; }

    /// <summary>
    /// Makes a copy with a spec and containers of its own, whose properties can be given other values. What the properties hold is shared
    /// with the original.
    /// </summary>
    public Pod CopyWithOwnSpec()
    {
        var copy = (Pod)MemberwiseClone();
        copy.Spec = Spec.CopyWithOwnContainers();
        return copy;
    }
}
