using Kip.Agent.Runtime.Cri;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>
/// Which AppArmor profile a container gets, by the kubelet's rules: its own field, else the annotation that came before the field, else the
/// pod's field, else what the runtime does by itself.
/// </summary>
internal static class AppArmor
{
    /// <summary>Followed by the container's name.</summary>
    public const string AnnotationPrefix = "container.apparmor.security.beta.kubernetes.io/";

    /// <summary>Followed by a profile that the machine's kernel has loaded.</summary>
    private const string LocalPrefix = "localhost/";

    private const string Switch = "/sys/module/apparmor/parameters/enabled";
    private const string RuntimeDefault = "runtime/default";
    private const string Unconfined = "unconfined";

    /// <summary>Why the pod cannot be run on this machine, in the kubelet's words; null when it can.</summary>
    public static string? Complaint(Pod pod)
    {
        var asked = pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).Any(container => ProfileOf(pod, container) is not (null or Unconfined));
        return asked && !(File.Exists(Switch) && File.ReadAllText(Switch).StartsWith('Y'))
            ? "Cannot enforce AppArmor: AppArmor is not enabled on the host"
            : null;
    }

    /// <summary>Writes the profile where this and older versions of CRI have it.</summary>
    public static void Set(LinuxContainerSecurityContext context, Pod pod, Container container)
    {
        if (ProfileOf(pod, container) is not { } profile)
        {
            return;
        }

        context.ApparmorProfile = profile;
        context.Apparmor = profile switch
        {
            RuntimeDefault => new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.RuntimeDefault },
            Unconfined => new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Unconfined },
            _ => new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Localhost, LocalhostRef = profile[LocalPrefix.Length..] },
        };
    }

    /// <summary>As the annotation writes it; null when none is asked for.</summary>
    private static string? ProfileOf(Pod pod, Container container) =>
        OfField(container.SecurityContext?.AppArmorProfile)
        ?? OfAnnotation(pod, container)
        ?? OfField(pod.Spec.SecurityContext?.AppArmorProfile);

    private static string? OfField(AppArmorProfile? profile) => profile?.Type switch
    {
        "RuntimeDefault" => RuntimeDefault,
        "Unconfined" => Unconfined,
        "Localhost" => LocalPrefix + profile.LocalhostProfile,
        _ => null,
    };

    private static string? OfAnnotation(Pod pod, Container container) =>
        pod.Metadata.Annotations?.GetValueOrDefault(AnnotationPrefix + container.Name) is { } value
        && (value is RuntimeDefault or Unconfined || value.StartsWith(LocalPrefix, StringComparison.Ordinal)) ? value : null;
}
