namespace Kip.Kubernetes.Objects;

/// <summary>A container added to a running pod for debugging.</summary>
public sealed class EphemeralContainer : Container
{
    /// <summary>The container whose processes it sees.</summary>
    public string? TargetContainerName { get; set; }
}
