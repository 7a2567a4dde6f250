using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>
/// Names the fields of a pod that this version of Kip has never heard of. A newer API server may have them; nothing says whether the pod
/// needs them, so it is run, and whoever looks at its events learns of it.
/// </summary>
internal static class UnknownFields
{
    /// <summary>The fields, as paths below the pod.</summary>
    public static List<string> Find(PodSpec spec)
    {
        var found = new List<string>();
        Walk(found, spec, KubernetesJsonContext.Default.PodSpec, "spec");
        return found;
    }

    private static void Walk(List<string> found, object? value, JsonTypeInfo type, string path)
    {
        switch (value)
        {
            case ApiObject known:
                found.AddRange(
                    (known.Unknown ?? []).Where(field => field.Value.ValueKind != JsonValueKind.Null).Select(field => $"{path}.{field.Key}"));
                foreach (var property in type.Properties.Where(property => !property.IsExtensionData && property.Get is not null))
                {
                    Walk(found, property.Get!(known), type.Options.GetTypeInfo(property.PropertyType), $"{path}.{property.Name}");
                }

                break;
            case IList list when type.Kind == JsonTypeInfoKind.Enumerable:
                for (var i = 0; i < list.Count; i++)
                {
                    Walk(found, list[i], type.Options.GetTypeInfo(type.ElementType!), $"{path}[{i}]");
                }

                break;
        }
    }
}
