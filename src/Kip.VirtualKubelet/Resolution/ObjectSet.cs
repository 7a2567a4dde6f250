using System.Diagnostics.CodeAnalysis;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>The objects that one pod names, as they are at one time.</summary>
internal sealed class ObjectSet(string @namespace, IReadOnlyDictionary<ObjectId, IReadOnlyList<IKubernetesObject>> objects)
{
    public string Namespace { get; } = @namespace;

    public IEnumerable<Service> Services => objects.Values.SelectMany(static each => each).OfType<Service>();

    public ServiceAccount? ServiceAccount(string name) => Find<ServiceAccount>(ObjectKind.ServiceAccount, name);

    public RuntimeClass? RuntimeClass(string name) =>
        objects.TryGetValue(new ObjectId(ObjectKind.RuntimeClass, "", name), out var found) ? found.OfType<RuntimeClass>().FirstOrDefault() : null;

    public ConfigMap? ConfigMap(string name) => Find<ConfigMap>(ObjectKind.ConfigMap, name);

    public Secret? Secret(string name) => Find<Secret>(ObjectKind.Secret, name);

    public PersistentVolumeClaim? Claim(string name) => Find<PersistentVolumeClaim>(ObjectKind.PersistentVolumeClaim, name);

    public PersistentVolume? PersistentVolume(string name) =>
        objects.TryGetValue(new ObjectId(ObjectKind.PersistentVolume, "", name), out var found) ? found.OfType<PersistentVolume>().FirstOrDefault() : null;

    /// <summary>False when the object may be missing and is.</summary>
    /// <param name="reason">The word for the event when it may not.</param>
    /// <param name="optional">Whether it may.</param>
    /// <param name="name">Its name.</param>
    /// <param name="user">What needs it, for the message.</param>
    /// <param name="found">The object.</param>
    /// <exception cref="Pods.PodResolutionException">It may not be missing and is.</exception>
    public bool TryConfigMap(string reason, bool? optional, string name, string user, [NotNullWhen(true)] out ConfigMap? found) =>
        Check(reason, found = ConfigMap(name), optional, "ConfigMap", name, user);

    /// <summary>The same for a secret.</summary>
    public bool TrySecret(string reason, bool? optional, string name, string user, [NotNullWhen(true)] out Secret? found) =>
        Check(reason, found = Secret(name), optional, "Secret", name, user);

    private bool Check(string reason, IKubernetesObject? found, bool? optional, string kind, string name, string user) =>
        found is not null || (optional == true
            ? false
            : throw new Pods.PodResolutionException(reason, $"{kind} {Namespace}/{name} not found: {user} needs it"));

    private T? Find<T>(ObjectKind kind, string name)
        where T : class, IKubernetesObject =>
        objects.TryGetValue(new ObjectId(kind, Namespace, name), out var found) ? found.OfType<T>().FirstOrDefault() : null;
}
