using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>
/// Names every field of a pod that this version of the agent does not act on although it would have to. A pod that uses one is refused:
/// it would run differently from what its author wrote. Fields that only concern scheduling are none of the agent's business.
/// </summary>
internal static class UnsupportedFields
{
    /// <summary>The fields, as paths below the pod; empty when the pod can be run.</summary>
    public static List<string> Find(Pod pod)
    {
        var found = new List<string>();
        var spec = pod.Spec;
        for (var i = 0; i < (spec.Volumes?.Count ?? 0); i++)
        {
            OfVolume(found, spec.Volumes![i], $"spec.volumes[{i}]");
        }

        Add(found, spec.Os is { Name: not ("" or "linux") }, "spec.os");
        Add(found, spec.HostUsers == false, "spec.hostUsers");
        Add(found, spec.ResourceClaims is not null, "spec.resourceClaims");
        Add(found, spec.Resources?.Claims is { Count: > 0 }, "spec.resources.claims");
        PodSecurity(found, spec.SecurityContext);
        for (var i = 0; i < (spec.InitContainers?.Count ?? 0); i++)
        {
            OfContainer(found, spec.InitContainers![i], $"spec.initContainers[{i}]");
            Add(
                found,
                spec.InitContainers[i] is { Lifecycle: not null, RestartPolicy: not "Always" },
                $"spec.initContainers[{i}].lifecycle");
        }

        for (var i = 0; i < spec.Containers.Count; i++)
        {
            OfContainer(found, spec.Containers[i], $"spec.containers[{i}]");
        }

        for (var i = 0; i < (spec.EphemeralContainers?.Count ?? 0); i++)
        {
            OfContainer(found, spec.EphemeralContainers![i], $"spec.ephemeralContainers[{i}]");
            Add(found, spec.EphemeralContainers[i].Lifecycle is not null, $"spec.ephemeralContainers[{i}].lifecycle");
        }

        return found;
    }

    private static void OfVolume(List<string> found, Volume volume, string path)
    {
        foreach (var source in VolumeKind.SourcesOf(volume))
        {
            Add(found, source is not ("emptyDir" or "hostPath" or "configMap" or "secret" or "projected" or "downwardAPI"
                or "persistentVolumeClaim" or "ephemeral" or "nfs"), $"{path}.{source}");
        }

        Add(found, volume.EmptyDir is { Medium: not (null or "" or "Memory") and var medium } && !HugePages.IsMedium(medium), $"{path}.emptyDir.medium");
        OfFiles(found, volume.DownwardAPI?.Items, $"{path}.downwardAPI");
        for (var i = 0; i < (volume.Projected?.Sources?.Count ?? 0); i++)
        {
            OfFiles(found, volume.Projected!.Sources![i].DownwardAPI?.Items, $"{path}.projected.sources[{i}].downwardAPI");
        }
    }

    private static void OfFiles(List<string> found, List<DownwardApiVolumeFile>? items, string path)
    {
        for (var i = 0; i < (items?.Count ?? 0); i++)
        {
            var (field, resource) = (items![i].FieldRef, items[i].ResourceFieldRef);
            Add(found, field is null ? resource is null : !FieldReference.IsKnownInFile(field.FieldPath), $"{path}.items[{i}].fieldRef");
            OfResource(found, resource, $"{path}.items[{i}].resourceFieldRef");
        }
    }

    private static void OfResource(List<string> found, ResourceFieldSelector? selector, string path) =>
        Add(found, selector is not null && !ResourceReference.IsKnown(selector.Resource), path);

    private static void PodSecurity(List<string> found, PodSecurityContext? security)
    {
        const string path = "spec.securityContext";
        Add(found, security?.WindowsOptions is not null, $"{path}.windowsOptions");
        Add(found, security?.SupplementalGroupsPolicy is { Length: > 0 } and not "Merge", $"{path}.supplementalGroupsPolicy");
        Seccomp(found, security?.SeccompProfile, path);
    }

    /// <summary>A profile that lies elsewhere than where the cell's profiles lie.</summary>
    private static void Seccomp(List<string> found, SeccompProfile? profile, string path) => Add(
        found,
        profile is { Type: "Localhost" } && (string.IsNullOrEmpty(profile.LocalhostProfile)
            || profile.LocalhostProfile.StartsWith('/') || profile.LocalhostProfile.Split('/').Contains("..")),
        $"{path}.seccompProfile.localhostProfile");

    private static void OfContainer(List<string> found, Container container, string path)
    {
        Add(found, StopSignals.IsUnknown(container), $"{path}.lifecycle.stopSignal");
        for (var i = 0; i < (container.RestartPolicyRules?.Count ?? 0); i++)
        {
            Add(found, !RestartRules.IsKnown(container.RestartPolicyRules![i]), $"{path}.restartPolicyRules[{i}]");
        }

        Add(found, container.Resources?.Claims is { Count: > 0 }, $"{path}.resources.claims");
        Devices(found, container.Resources?.Limits?.Keys, $"{path}.resources.limits");
        Devices(found, container.Resources?.Requests?.Keys, $"{path}.resources.requests");
        // What only the controller can look up, it resolves before it sends the pod.
        Add(found, container.EnvFrom is { Count: > 0 }, $"{path}.envFrom");
        for (var i = 0; i < (container.Env?.Count ?? 0); i++)
        {
            var source = container.Env![i].ValueFrom;
            Add(found, source is not null && source.FieldRef is null && source.ResourceFieldRef is null, $"{path}.env[{i}].valueFrom");
            OfResource(found, source?.ResourceFieldRef, $"{path}.env[{i}].valueFrom.resourceFieldRef");
            Add(found, source?.FieldRef is { } field && !FieldReference.IsKnown(field.FieldPath), $"{path}.env[{i}].valueFrom.fieldRef");
        }

        var security = container.SecurityContext;
        Add(found, security?.WindowsOptions is not null, $"{path}.securityContext.windowsOptions");
        Add(found, security?.ProcMount is { Length: > 0 } and not ("Default" or "Unmasked"), $"{path}.securityContext.procMount");
        Seccomp(found, security?.SeccompProfile, $"{path}.securityContext");
    }

    /// <summary>Resources with a domain in their name are devices.</summary>
    private static void Devices(List<string> found, IEnumerable<string>? names, string path)
    {
        foreach (var name in names ?? [])
        {
            Add(found, name.Contains('/', StringComparison.Ordinal) && name != Gpus.Resource, $"{path}[{name}]");
        }
    }

    private static void Add(List<string> found, bool used, string path)
    {
        if (used)
        {
            found.Add(path);
        }
    }
}
