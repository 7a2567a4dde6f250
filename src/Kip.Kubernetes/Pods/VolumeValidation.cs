using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>Checks a pod's volumes; see <see cref="PodValidation"/>.</summary>
internal static class VolumeValidation
{
    private const int MaxMode = 511; // 0777

    /// <summary>The names of the volumes, for the mounts.</summary>
    public static IReadOnlySet<string> Validate(List<Volume> volumes, FieldErrors errors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < volumes.Count; i++)
        {
            var volume = volumes[i];
            var field = $"spec.volumes[{i}]";
            if (volume.Name.Length == 0)
            {
                errors.Required($"{field}.name");
            }
            else if (Names.DnsLabel(volume.Name) is { } problem)
            {
                errors.Invalid($"{field}.name", volume.Name, problem);
            }

            if (!names.Add(volume.Name))
            {
                errors.Duplicate($"{field}.name", volume.Name);
            }

            foreach (var extra in VolumeKind.SourcesOf(volume).Skip(1))
            {
                errors.Forbidden($"{field}.{extra}", "may not specify more than 1 volume type");
            }

            ValidateSource(volume, field, errors);
        }

        return names;
    }

    /// <summary>Complains of a path with <c>..</c> in it.</summary>
    public static void ValidateNoParent(string? path, string field, FieldErrors errors)
    {
        if (path is not null && path.Split('/').Contains(".."))
        {
            errors.Invalid(field, path, "must not contain '..'");
        }
    }

    private static void ValidateSource(Volume volume, string field, FieldErrors errors)
    {
        if (volume.HostPath is { } hostPath)
        {
            Require(hostPath.Path, $"{field}.hostPath.path");
            ValidateNoParent(hostPath.Path, $"{field}.hostPath.path", errors);
        }

        if (volume.EmptyDir?.SizeLimit is { Sign: < 0 } limit)
        {
            errors.Forbidden($"{field}.emptyDir.sizeLimit", $"SizeLimit field must be a valid resource quantity, not {limit}");
        }

        if (volume.Secret is { } secret)
        {
            Require(secret.SecretName, $"{field}.secret.secretName");
            Mode(secret.DefaultMode, $"{field}.secret.defaultMode");
            Items(secret.Items, $"{field}.secret.items");
        }

        if (volume.ConfigMap is { } configMap)
        {
            Require(configMap.Name, $"{field}.configMap.name");
            Mode(configMap.DefaultMode, $"{field}.configMap.defaultMode");
            Items(configMap.Items, $"{field}.configMap.items");
        }

        if (volume.Nfs is { } nfs)
        {
            Require(nfs.Server, $"{field}.nfs.server");
            Require(nfs.Path, $"{field}.nfs.path");
        }

        if (volume.PersistentVolumeClaim is { } claim)
        {
            Require(claim.ClaimName, $"{field}.persistentVolumeClaim.claimName");
        }

        if (volume.DownwardAPI is { } downward)
        {
            Mode(downward.DefaultMode, $"{field}.downwardAPI.defaultMode");
            Files(downward.Items, $"{field}.downwardAPI.items");
        }

        if (volume.Projected is { } projected)
        {
            Mode(projected.DefaultMode, $"{field}.projected.defaultMode");
            var sources = projected.Sources ?? [];
            for (var i = 0; i < sources.Count; i++)
            {
                Projection(sources[i], $"{field}.projected.sources[{i}]");
            }
        }

        void Projection(VolumeProjection source, string at)
        {
            if (source.Secret is { } keys)
            {
                Require(keys.Name, $"{at}.secret.name");
                Items(keys.Items, $"{at}.secret.items");
            }

            if (source.ConfigMap is { } configKeys)
            {
                Require(configKeys.Name, $"{at}.configMap.name");
                Items(configKeys.Items, $"{at}.configMap.items");
            }

            Files(source.DownwardAPI?.Items, $"{at}.downwardAPI.items");
            if (source.ServiceAccountToken is { } token)
            {
                RelativePath(token.Path, $"{at}.serviceAccountToken.path");
            }
        }

        void Items(List<KeyToPath>? items, string at)
        {
            for (var i = 0; i < (items?.Count ?? 0); i++)
            {
                Require(items![i].Key, $"{at}[{i}].key");
                RelativePath(items[i].Path, $"{at}[{i}].path");
                Mode(items[i].Mode, $"{at}[{i}].mode");
            }
        }

        void Files(List<DownwardApiVolumeFile>? files, string at)
        {
            for (var i = 0; i < (files?.Count ?? 0); i++)
            {
                RelativePath(files![i].Path, $"{at}[{i}].path");
                Mode(files[i].Mode, $"{at}[{i}].mode");
                if (files[i].FieldRef is null && files[i].ResourceFieldRef is null)
                {
                    errors.Required($"{at}[{i}]", "one of fieldRef and resourceFieldRef is required");
                }
            }
        }

        void RelativePath(string path, string at)
        {
            Require(path, at);
            if (path.StartsWith('/'))
            {
                errors.Invalid(at, path, "must be a relative path");
            }

            ValidateNoParent(path, at, errors);
        }

        void Require(string? value, string at)
        {
            if (string.IsNullOrEmpty(value))
            {
                errors.Required(at);
            }
        }

        void Mode(int? mode, string at)
        {
            if (mode is < 0 or > MaxMode)
            {
                errors.Invalid(at, mode, "must be a number between 0 and 0777 (octal), both inclusive");
            }
        }
    }
}
