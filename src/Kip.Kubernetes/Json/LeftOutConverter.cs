using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes;

/// <summary>For a field that is passed over when it is read, and so never written.</summary>
internal sealed class LeftOutConverter : JsonConverter<JsonElement?>
{
    public override JsonElement? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        // The whole field is there, but perhaps not yet what comes after it: then Skip throws.
        if (!reader.TrySkip())
        {
            throw new JsonException("the field is cut off");
        }

        return null;
    }

    public override void Write(Utf8JsonWriter writer, JsonElement? value, JsonSerializerOptions options) =>
        throw new InvalidOperationException("the field has no value");
}
