using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Pods;

/// <summary>Finds what only the control side can know of a pod: values from other objects, volume contents, tokens, credentials.</summary>
internal interface IPodResolver
{
    /// <summary>Something that a pod was given has changed: the pod, by name, should be resolved anew.</summary>
    event Action<ObjectKey> Changed;

    /// <summary>Resolves a pod.</summary>
    /// <exception cref="PodResolutionException">Something it needs is not there, or is not right. It may come.</exception>
    Task<PodAssignment> ResolveAsync(Pod pod, CancellationToken cancellationToken);

    /// <summary>Whether something that the pod was given has changed since.</summary>
    bool IsStale(Pod pod);

    /// <summary>No pod of this name is of interest any more.</summary>
    void Forget(ObjectKey pod);
}

/// <summary>A pod cannot be given what it asks for, yet.</summary>
internal sealed class PodResolutionException(string reason, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>One word, as in an event.</summary>
    public string Reason { get; } = reason;
}

/// <summary>Makes the queue come back to a pod later; why was told to its owner.</summary>
internal sealed class RetryException(string message, Exception innerException) : Exception(message, innerException);
