using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Events;

/// <summary>Values of <see cref="KubernetesEvent.Type"/>.</summary>
public static class EventType
{
    /// <summary>Something happened as it should.</summary>
    public const string Normal = "Normal";

    /// <summary>Something happened that the owner should look at.</summary>
    public const string Warning = "Warning";
}
