using Kip.Agents;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Pods;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>The files of the volumes that come from API objects.</summary>
internal static class VolumeResolver
{
    private const string Reason = "FailedMount";

    /// <summary>The mode of files when nothing is said.</summary>
    private const int DefaultMode = 0b110_100_100;

    /// <summary>The mode of tokens that belong to a user or group of their own.</summary>
    private const int PrivateMode = 0b110_000_000;

    /// <summary>Null when the volume's files come from elsewhere.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="volume">One of its volumes.</param>
    /// <param name="objects">What the pod names.</param>
    /// <param name="token">Gives the token of a source.</param>
    /// <exception cref="PodResolutionException">An object or a key that must be there is not.</exception>
    public static ResolvedVolume? Resolve(Pod pod, Volume volume, ObjectSet objects, Func<ServiceAccountTokenProjection, string> token)
    {
        var user = $"volume {volume.Name}";
        if (volume.ConfigMap is { } configMap)
        {
            return new(volume.Name, [.. OfConfigMap(configMap.Name, configMap.Optional, configMap.Items, configMap.DefaultMode)]);
        }

        if (volume.Secret is { } secret)
        {
            return new(volume.Name, [.. OfSecret(secret.SecretName, secret.Optional, secret.Items, secret.DefaultMode)]);
        }

        if (volume.Projected is not { } projected)
        {
            return null;
        }

        var files = new Dictionary<string, ResolvedFile>(StringComparer.Ordinal);
        foreach (var file in (projected.Sources ?? []).SelectMany(source => OfSource(source, projected.DefaultMode)))
        {
            // As in the kubelet, a later source wins.
            files[file.Path] = file;
        }

        return new(volume.Name, [.. files.Values]);

        IEnumerable<ResolvedFile> OfSource(VolumeProjection source, int? defaultMode) => source switch
        {
            { ConfigMap: { } keys } => OfConfigMap(keys.Name, keys.Optional, keys.Items, defaultMode),
            { Secret: { } keys } => OfSecret(keys.Name, keys.Optional, keys.Items, defaultMode),
            { ServiceAccountToken: { } projection } => [Token(projection, defaultMode)],
            { DownwardAPI: not null } or { ClusterTrustBundle.Optional: true } => [],
            { ClusterTrustBundle: not null } => throw Unsupported("clusterTrustBundle"),
            { PodCertificate: not null } => throw Unsupported("podCertificate"),
            _ => [],
        };

        PodResolutionException Unsupported(string kind) => new(Reason, $"{user}: this version of Kip cannot project a {kind}");

        IEnumerable<ResolvedFile> OfConfigMap(string? name, bool? optional, List<KeyToPath>? items, int? defaultMode)
        {
            if (!objects.TryConfigMap(Reason, optional, name ?? "", user, out var found))
            {
                return [];
            }

            var values = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
            foreach (var (key, text) in found.Data ?? [])
            {
                values[key] = System.Text.Encoding.UTF8.GetBytes(text);
            }

            foreach (var (key, bytes) in found.BinaryData ?? [])
            {
                values[key] = bytes;
            }

            return Select(values, items, optional, defaultMode, $"ConfigMap {objects.Namespace}/{name}");
        }

        IEnumerable<ResolvedFile> OfSecret(string? name, bool? optional, List<KeyToPath>? items, int? defaultMode) =>
            objects.TrySecret(Reason, optional, name ?? "", user, out var found)
                ? Select(
                    (found.Data ?? []).ToDictionary(static each => each.Key, static each => (ReadOnlyMemory<byte>)each.Value, StringComparer.Ordinal),
                    items,
                    optional,
                    defaultMode,
                    $"Secret {objects.Namespace}/{name}")
                : [];

        IEnumerable<ResolvedFile> Select(
            Dictionary<string, ReadOnlyMemory<byte>> values, List<KeyToPath>? items, bool? optional, int? defaultMode, string source)
        {
            if (items is not { Count: > 0 })
            {
                return values.Select(each => new ResolvedFile(each.Key, each.Value, defaultMode ?? DefaultMode));
            }

            var missing = items.Find(item => !values.ContainsKey(item.Key));
            return missing is null || optional == true
                ? items.Where(item => values.ContainsKey(item.Key))
                    .Select(item => new ResolvedFile(Normal(item.Path), values[item.Key], item.Mode ?? defaultMode ?? DefaultMode))
                : throw new PodResolutionException(Reason, $"couldn't find key {missing.Key} in {source}: {user} needs it");
        }

        ResolvedFile Token(ServiceAccountTokenProjection projection, int? defaultMode)
        {
            // Readable for the one user that the containers run as, or for the pod's group, which the cell adds; else for all.
            var owner = CommonUser(pod.Spec);
            var isPrivate = owner is not null || pod.Spec.SecurityContext?.FsGroup is not null;
            return new ResolvedFile(
                Normal(projection.Path),
                System.Text.Encoding.UTF8.GetBytes(token(projection)),
                isPrivate ? PrivateMode : defaultMode ?? DefaultMode,
                owner ?? 0);
        }
    }

    /// <summary>The user that every container runs as; null when they differ or one does not say (the kubelet's FsUserFrom).</summary>
    private static long? CommonUser(PodSpec spec)
    {
        var users = (spec.InitContainers ?? []).Concat(spec.Containers)
            .Select(container => container.SecurityContext?.RunAsUser ?? spec.SecurityContext?.RunAsUser)
            .Distinct()
            .ToList();
        return users is [{ } user] ? user : null;
    }

    /// <summary>The API server lets "a/./b" and "a//b" pass; agents do not.</summary>
    private static string Normal(string path) =>
        string.Join('/', path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(static part => part != "."));
}
