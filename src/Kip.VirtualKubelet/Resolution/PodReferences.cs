using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>Finds the objects that a pod names.</summary>
internal static class PodReferences
{
    /// <summary>The service that every pod sees, whatever it says of service links.</summary>
    public static readonly ObjectId ApiService = new(ObjectKind.Service, "default", "kubernetes");

    public static HashSet<ObjectId> Of(Pod pod)
    {
        var @namespace = pod.Metadata.Namespace ?? "";
        var found = new HashSet<ObjectId> { ApiService, new(ObjectKind.ServiceAccount, @namespace, ServiceAccountOf(pod)) };
        if (pod.Spec.EnableServiceLinks != false)
        {
            found.Add(new ObjectId(ObjectKind.Service, @namespace, ""));
        }

        foreach (var container in ContainersOf(pod.Spec))
        {
            foreach (var source in container.EnvFrom ?? [])
            {
                Add(ObjectKind.ConfigMap, source.ConfigMapRef?.Name);
                Add(ObjectKind.Secret, source.SecretRef?.Name);
            }

            foreach (var variable in container.Env ?? [])
            {
                Add(ObjectKind.ConfigMap, variable.ValueFrom?.ConfigMapKeyRef?.Name);
                Add(ObjectKind.Secret, variable.ValueFrom?.SecretKeyRef?.Name);
            }
        }

        foreach (var volume in pod.Spec.Volumes ?? [])
        {
            Add(ObjectKind.ConfigMap, volume.ConfigMap?.Name);
            Add(ObjectKind.Secret, volume.Secret?.SecretName);
            Add(ObjectKind.PersistentVolumeClaim, ClaimResolver.NameOf(pod, volume));
            foreach (var source in volume.Projected?.Sources ?? [])
            {
                Add(ObjectKind.ConfigMap, source.ConfigMap?.Name);
                Add(ObjectKind.Secret, source.Secret?.Name);
            }
        }

        if (pod.Spec.RuntimeClassName is { Length: > 0 } runtimeClass)
        {
            found.Add(new ObjectId(ObjectKind.RuntimeClass, "", runtimeClass));
        }

        foreach (var secret in pod.Spec.ImagePullSecrets ?? [])
        {
            Add(ObjectKind.Secret, secret.Name);
        }

        return found;

        void Add(ObjectKind kind, string? name)
        {
            if (!string.IsNullOrEmpty(name))
            {
                found.Add(new ObjectId(kind, @namespace, name));
            }
        }
    }

    public static string ServiceAccountOf(Pod pod) => pod.Spec.ServiceAccountName is { Length: > 0 } name ? name : "default";

    /// <summary>Every container there is, in the order init, app, ephemeral.</summary>
    public static IEnumerable<Container> ContainersOf(PodSpec spec) =>
        (spec.InitContainers ?? []).Concat(spec.Containers).Concat(spec.EphemeralContainers ?? []);
}
