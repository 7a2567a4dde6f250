using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>The kinds of objects that pods name.</summary>
internal enum ObjectKind
{
    ConfigMap = 0,
    Secret,
    ServiceAccount,
    Service,
    PersistentVolumeClaim,
    PersistentVolume,
    RuntimeClass,
}

/// <summary>Names an object that a pod needs; without a name, all objects of the kind in the namespace.</summary>
internal readonly record struct ObjectId(ObjectKind Kind, string Namespace, string Name)
{
    public override string ToString() => Namespace.Length > 0 ? $"{Kind} {Namespace}/{Name}" : $"{Kind} {Name}";
}

/// <summary>The objects that this node's pods name, and no others.</summary>
/// <remarks>Reading throws <see cref="Kubernetes.Client.KubernetesApiException"/> when the API server does not answer, or refuses.</remarks>
internal interface IObjectSource
{
    /// <summary>An object that is followed was added, changed or deleted. Handlers must not block.</summary>
    event Action<ObjectId> Changed;

    /// <summary>Begins to follow an object; each call needs its <see cref="Release"/>.</summary>
    void Follow(ObjectId id);

    /// <summary>Ends one <see cref="Follow"/>.</summary>
    void Release(ObjectId id);

    /// <summary>A followed object, or objects; empty when there is none.</summary>
    ValueTask<IReadOnlyList<IKubernetesObject>> ReadAsync(ObjectId id, CancellationToken cancellationToken);

    /// <summary>Makes a token of a service account.</summary>
    Task<TokenRequestStatus> CreateTokenAsync(ObjectKey serviceAccount, TokenRequestSpec spec, CancellationToken cancellationToken);
}
