using System.Text.Json.Serialization;
using Kip.Kubernetes.Objects;

namespace Kip.Cells;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CellRecord))]
[JsonSerializable(typeof(KubernetesList<CellObject>), TypeInfoPropertyName = "CellObjectList")]
[JsonSerializable(typeof(CustomResourceDefinition))]
internal sealed partial class CellsJsonContext : JsonSerializerContext;
