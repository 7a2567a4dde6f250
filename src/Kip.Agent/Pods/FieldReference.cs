using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>Environment values that come from the pod itself (<c>valueFrom.fieldRef</c>).</summary>
internal static class FieldReference
{
    public static bool IsKnown(string path) =>
        path is "metadata.name" or "metadata.namespace" or "metadata.uid" or "spec.nodeName" or "spec.serviceAccountName"
            or "status.podIP" or "status.podIPs" or "status.hostIP" or "status.hostIPs"
        || Subscript(path) is not null;

    public static string Resolve(string path, Pod pod, string podIP, string hostIP) => path switch
    {
        "metadata.name" => PodIdentity.Name(pod),
        "metadata.namespace" => PodIdentity.Namespace(pod),
        "metadata.uid" => PodIdentity.Uid(pod),
        "spec.nodeName" => pod.Spec.NodeName ?? "",
        "spec.serviceAccountName" => pod.Spec.ServiceAccountName ?? "",
        "status.podIP" or "status.podIPs" => podIP,
        "status.hostIP" or "status.hostIPs" => hostIP,
        _ => Subscript(path) is var (map, key)
            && ((map == "labels" ? pod.Metadata.Labels : pod.Metadata.Annotations)?.TryGetValue(key, out var value) ?? false)
            ? value
            : "",
    };

    private static (string Map, string Key)? Subscript(string path)
    {
        foreach (var map in (string[])["labels", "annotations"])
        {
            var prefix = $"metadata.{map}['";
            if (path.StartsWith(prefix, StringComparison.Ordinal) && path.EndsWith("']", StringComparison.Ordinal))
            {
                return (map, path[prefix.Length..^2]);
            }
        }

        return null;
    }
}
