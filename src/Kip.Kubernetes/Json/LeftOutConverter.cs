using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes;

/// <summary>For a field that is passed over when it is read, and so never written.</summary>
internal sealed class LeftOutConverter : JsonConverter<JsonElement?>
{
    public override JsonElement? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        reader.Skip();
        return null;
    }

    public override void Write(Utf8JsonWriter writer, JsonElement? value, JsonSerializerOptions options) =>
        throw new InvalidOperationException("the field has no value");
}
