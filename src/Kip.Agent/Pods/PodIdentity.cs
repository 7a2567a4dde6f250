using System.Security.Cryptography;
using System.Text;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>How the pod and its containers are named towards the runtime: the labels, annotations and paths of the kubelet.</summary>
internal static class PodIdentity
{
    private const int LongestFileName = 255;
    public const string PodNameLabel = "io.kubernetes.pod.name";
    public const string PodNamespaceLabel = "io.kubernetes.pod.namespace";
    public const string PodUidLabel = "io.kubernetes.pod.uid";
    public const string ContainerNameLabel = "io.kubernetes.container.name";
    public const string HashAnnotation = "io.kubernetes.container.hash";
    public const string RestartCountAnnotation = "io.kubernetes.container.restartCount";

    public static string Name(Pod pod) => pod.Metadata.Name ?? "";

    public static string Namespace(Pod pod) => pod.Metadata.Namespace is { Length: > 0 } name ? name : "default";

    public static string Uid(Pod pod) => pod.Metadata.Uid ?? "";

    /// <summary>As the kubelet writes a pod in messages.</summary>
    public static string Display(Pod pod) => $"{Name(pod)}_{Namespace(pod)}({Uid(pod)})";

    /// <summary>
    /// Named as the kubelet names it, but cut to what a file system takes: the longest name and namespace that a pod may have are longer.
    /// </summary>
    public static string LogDirectory(string root, Pod pod)
    {
        var (head, tail) = ($"{Namespace(pod)}_{Name(pod)}", $"_{Uid(pod)}");
        return Path.Combine(root, head[..Math.Clamp(LongestFileName - tail.Length, 0, head.Length)] + tail);
    }

    /// <summary>The control group that all processes of the pod are below.</summary>
    public static string Cgroup(string parent, string podUid) => $"{parent.TrimEnd('/')}/pod{podUid}";

    /// <summary>
    /// Changes exactly when a container must be replaced: of all that the API lets a user change on a running pod that is the image.
    /// </summary>
    public static string Hash(Container container) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{container.Name}\n{container.Image}")).AsSpan(0, 8));

    public static Dictionary<string, string> Labels(Pod pod) => new()
    {
        [PodNameLabel] = Name(pod),
        [PodNamespaceLabel] = Namespace(pod),
        [PodUidLabel] = Uid(pod),
    };
}
