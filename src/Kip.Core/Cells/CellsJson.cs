using System.Text.Json.Serialization;

namespace Kip.Cells;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CellRecord))]
internal sealed partial class CellsJsonContext : JsonSerializerContext;
