using System.Globalization;
using System.Text;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>Values that come from the pod itself (<c>fieldRef</c>), for the environment and for files.</summary>
internal static class FieldReference
{
    private const string Labels = "metadata.labels";
    private const string Annotations = "metadata.annotations";

    /// <summary>Whether a file may hold it: files may hold all labels or annotations.</summary>
    public static bool IsKnownInFile(string path) => path is Labels or Annotations || IsKnown(path);

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
        Labels => Format(pod.Metadata.Labels),
        Annotations => Format(pod.Metadata.Annotations),
        "status.podIP" or "status.podIPs" => podIP,
        "status.hostIP" or "status.hostIPs" => hostIP,
        _ => Subscript(path) is var (map, key)
            && ((map == "labels" ? pod.Metadata.Labels : pod.Metadata.Annotations)?.TryGetValue(key, out var value) ?? false)
            ? value
            : "",
    };

    /// <summary>Lines of key="value" in the order of the keys, quoted as Go quotes (k8s.io/kubernetes pkg/fieldpath, FormatMap).</summary>
    private static string Format(Dictionary<string, string>? map) =>
        string.Join('\n', (map ?? []).OrderBy(each => each.Key, StringComparer.Ordinal).Select(each => $"{each.Key}={Quote(each.Value)}"));

    private static string Quote(string text)
    {
        var result = new StringBuilder(text.Length + 2).Append('"');
        foreach (var rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' or '\\' => result.Append('\\').Append(rune),
                '\a' => result.Append("\\a"),
                '\b' => result.Append("\\b"),
                '\f' => result.Append("\\f"),
                '\n' => result.Append("\\n"),
                '\r' => result.Append("\\r"),
                '\t' => result.Append("\\t"),
                '\v' => result.Append("\\v"),
                < ' ' or 0x7f => result.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}"),
                _ when IsPrintable(rune) => result.Append(rune),
                <= 0xffff => result.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
                _ => result.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
            };
        }

        return result.Append('"').ToString();
    }

    /// <summary>As Go's strconv.IsPrint: letters, marks, numbers, punctuation, symbols and the plain blank.</summary>
    private static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator);

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
