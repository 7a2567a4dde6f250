using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes;

/// <summary>Times as Kubernetes' metav1.MicroTime: written in UTC with exactly six digits of a fraction, which its readers insist on.</summary>
internal sealed class MicroTimeConverter : JsonConverter<DateTimeOffset>
{
    private const string Format = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";
    private const int Length = 27;

    private static readonly Rfc3339Converter Reader = new();

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Reader.Read(ref reader, typeToConvert, options);

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<char> text = stackalloc char[Length];
        value.UtcDateTime.TryFormat(text, out var written, Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..written]);
    }
}
