using System.Text.Json.Serialization;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>How the Kubernetes objects are read from and written to JSON, without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(Rfc3339Converter)])]
[JsonSerializable(typeof(Pod))]
[JsonSerializable(typeof(KubernetesEvent))]
public sealed partial class KubernetesJsonContext : JsonSerializerContext;
