using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Kip.Kubernetes.Tests;

public sealed class PodTests
{
    /// <summary>Fields that came to Kubernetes after 1.32.</summary>
    private static readonly string[] NewerFields =
    [
        ".observedGeneration", ".stopSignal", ".restartPolicyRules", ".fileKeyRef", ".podCertificate", ".hostnameOverride", ".workloadRef",
        ".status.extendedResourceClaimStatus", ".status.allocatedResources", ".status.resources",
    ];

    /// <summary>Fields carried as they are whose value is a list.</summary>
    private static readonly HashSet<string> Lists =
    [
        "topologySpreadConstraints", "resourceClaims", "resourceClaimStatuses", "allocatedResourcesStatus", "restartPolicyRules",
        "preferredDuringSchedulingIgnoredDuringExecution",
    ];

    [Fact]
    public void Json_PodWithEveryField_SurvivesUnchanged()
    {
        var everything = Everything(KubernetesJsonContext.Default.Pod, "");

        var pod = KubernetesJson.DeserializePod(JsonSerializer.SerializeToUtf8Bytes(everything));

        Assert.True(JsonNode.DeepEquals(everything, JsonNode.Parse(KubernetesJson.SerializeToUtf8(pod))));
        Assert.Null(pod.Unknown);
        Assert.True(JsonNode.DeepEquals(everything, JsonNode.Parse(KubernetesJson.SerializeToUtf8(KubernetesJson.Clone(pod)))));
    }

    [Fact]
    public void Json_ManagedFields_AreLeftOut()
    {
        var pod = KubernetesJson.DeserializePod("""{"metadata":{"name":"p","managedFields":[{"manager":"m","fieldsV1":{"f:a":{}}}],"uid":"u"}}"""u8);

        Assert.Equal(("p", "u"), (pod.Metadata.Name, pod.Metadata.Uid));
        Assert.Null(pod.Metadata.Unknown);
        Assert.DoesNotContain("managedFields", System.Text.Encoding.UTF8.GetString(KubernetesJson.SerializeToUtf8(pod)), StringComparison.Ordinal);
    }

    [Fact]
    public void ManifestReadPod_PodWithEveryField_HasNoWarning() =>
        Assert.Empty(Manifest.ReadPod(Everything(KubernetesJsonContext.Default.Pod, "").ToJsonString(), "pod.json").Warnings);

    /// <summary>Kubernetes' own types must know every field by the same name and the same type.</summary>
    [KubectlFact(minor: 32)]
    public async Task Json_PodWithEveryField_IsKnownToKubectl()
    {
        var everything = Everything(KubernetesJsonContext.Default.Pod, "");

        var (theirs, error) = await Kubectl.ReadPodAsync(everything.ToJsonString());

        Assert.Equal("", error);
        var known = Paths(theirs, "").ToHashSet(StringComparer.Ordinal);
        var misnamed = Paths(everything, "").Where(path => !known.Contains(path) && !NewerFields.Any(field =>
            $"{path}.".Replace("[0]", "", StringComparison.Ordinal).Contains($"{field}.", StringComparison.Ordinal)));
        Assert.Equal("", string.Join(' ', misnamed));
    }

    /// <summary>A value of the right type for every field that a type has.</summary>
    private static JsonNode Everything(JsonTypeInfo type, string name)
    {
        var plain = Nullable.GetUnderlyingType(type.Type) ?? type.Type;
        return type.Kind switch
        {
            JsonTypeInfoKind.Object => new JsonObject(type.Properties
                .Where(property => !property.IsExtensionData && property.Name != "managedFields")
                .Select(property => KeyValuePair.Create<string, JsonNode?>(
                    property.Name,
                    (name, property.Name) switch
                    {
                        ("", "apiVersion") => "v1",
                        ("", "kind") => "Pod",
                        _ => Everything(type.Options.GetTypeInfo(property.PropertyType), property.Name),
                    }))),
            JsonTypeInfoKind.Dictionary => new JsonObject { ["k"] = Everything(type.Options.GetTypeInfo(type.ElementType!), "k") },
            JsonTypeInfoKind.Enumerable => new JsonArray(Everything(type.Options.GetTypeInfo(type.ElementType!), "item")),
            _ when plain == typeof(string) => "x",
            _ when plain == typeof(bool) => true,
            _ when plain == typeof(int) || plain == typeof(long) || plain == typeof(IntOrString) => 7,
            _ when plain == typeof(Quantity) => "7",
            _ when plain == typeof(DateTimeOffset) => "2026-11-22T10:00:00Z",
            _ when plain == typeof(JsonElement) && Lists.Contains(name) => new JsonArray(new JsonObject()),
            _ when plain == typeof(JsonElement) => new JsonObject(),
            _ => throw new InvalidOperationException($"no sample for {plain}"),
        };
    }

    private static IEnumerable<string> Paths(JsonNode? node, string path) => node switch
    {
        JsonObject o => o.SelectMany(pair => Paths(pair.Value, $"{path}.{pair.Key}")).Prepend(path),
        JsonArray a => a.SelectMany((item, i) => Paths(item, $"{path}[{i}]")).Prepend(path),
        null => [],
        _ => [path],
    };
}
