using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>What happened to a watched object.</summary>
public enum WatchEventType
{
    /// <summary>It was created, or came to match the selectors, or was there when the watch began.</summary>
    Added,

    /// <summary>It was changed.</summary>
    Modified,

    /// <summary>It was deleted, or ceased to match the selectors.</summary>
    Deleted,

    /// <summary>Nothing; of the object only <see cref="ObjectMeta.ResourceVersion"/> is set, up to which everything was told.</summary>
    Bookmark,
}

/// <summary>One thing that happened to a watched object.</summary>
/// <param name="Type">What happened.</param>
/// <param name="Value">The object after it; for a deletion the last state.</param>
public readonly record struct WatchEvent<T>(WatchEventType Type, T Value)
    where T : class, IKubernetesObject;
