using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes;

/// <summary>Times as Kubernetes' metav1.Time: RFC 3339 with an offset, written in UTC and whole seconds.</summary>
internal sealed class Rfc3339Converter : JsonConverter<DateTimeOffset>
{
    private const string Format = "yyyy-MM-dd'T'HH:mm:ss'Z'";
    private const int Length = 20;

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException("expected a time such as 2026-11-22T10:00:00Z");
        }

        // The reader also takes dates alone and times without offset, which would become local time.
        if (reader.TryGetDateTimeOffset(out var time) && HasOffset(reader.ValueSpan))
        {
            return time;
        }

        throw new JsonException($"'{reader.GetString()}' is not a time such as 2026-11-22T10:00:00Z");
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<char> text = stackalloc char[Length];
        value.UtcDateTime.TryFormat(text, out var written, Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..written]);
    }

    private static bool HasOffset(ReadOnlySpan<byte> text) =>
        text.Length >= Length && (text[^1] == 'Z' || text[^6] is (byte)'+' or (byte)'-');
}
