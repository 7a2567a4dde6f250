using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes;

/// <summary>Times as Kubernetes' metav1.Time: RFC 3339 with an offset, written in UTC and whole seconds.</summary>
internal sealed class Rfc3339Converter : JsonConverter<DateTimeOffset>
{
    private const string Format = "yyyy-MM-dd'T'HH:mm:ss'Z'";
    private const int Length = 20;
    private const int MaxFractionDigits = 7;

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException("expected a time such as 2026-11-22T10:00:00Z");
        }

        var text = reader.GetString()!;
        return TryParse(text, out var time) ? time : throw new JsonException($"'{text}' is not a time such as 2026-11-22T10:00:00Z");
    }

    /// <summary>False when <paramref name="text"/> is no RFC 3339 time; fractions finer than 100 ns are cut off.</summary>
    public static bool TryParse(string text, out DateTimeOffset time)
    {
        // Go writes up to nine digits of a fraction, .NET reads seven.
        var fractionEnd = Length - 1;
        if (text.Length > Length && text[Length - 1] == '.')
        {
            var digits = text.AsSpan(Length).IndexOfAnyExceptInRange('0', '9');
            fractionEnd = digits < 0 ? text.Length : Length + digits;
            if (digits > MaxFractionDigits)
            {
                text = text.Remove(Length + MaxFractionDigits, digits - MaxFractionDigits);
                fractionEnd = Length + MaxFractionDigits;
            }
        }

        // Without an offset the time would be taken for local time.
        time = default;
        return text.Length > fractionEnd
            && DateTimeOffset.TryParseExact(
                text, "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture, DateTimeStyles.None, out time);
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<char> text = stackalloc char[Length];
        value.UtcDateTime.TryFormat(text, out var written, Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..written]);
    }
}
