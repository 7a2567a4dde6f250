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

    /// <summary>Of an annotation's value; followed by a profile of the machine.</summary>
    public const string LocalPrefix = "localhost/";

    private const string RuntimeDefault = "runtime/default";
    private const string Unconfined = "unconfined";

    /// <summary>Writes the profile where this and older versions of CRI have it.</summary>
    public static void Set(LinuxContainerSecurityContext context, Pod pod, Container container)
    {
        var profile = container.SecurityContext?.AppArmorProfile?.Type
            ?? OfAnnotation(pod, container)
            ?? pod.Spec.SecurityContext?.AppArmorProfile?.Type;
        switch (profile)
        {
            case "RuntimeDefault":
                context.Apparmor = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.RuntimeDefault };
                context.ApparmorProfile = RuntimeDefault;
                break;
            case "Unconfined":
                context.Apparmor = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Unconfined };
                context.ApparmorProfile = Unconfined;
                break;
        }
    }

    private static string? OfAnnotation(Pod pod, Container container) =>
        pod.Metadata.Annotations?.GetValueOrDefault(AnnotationPrefix + container.Name) switch
        {
            RuntimeDefault => "RuntimeDefault",
            Unconfined => "Unconfined",
            _ => null,
        };
}
