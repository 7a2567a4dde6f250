using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes;

/// <summary>A number or a name, such as a port. The default value is the number 0.</summary>
[JsonConverter(typeof(IntOrStringConverter))]
public readonly record struct IntOrString
{
    private readonly int _number;

    /// <summary>Makes a number.</summary>
    public IntOrString(int number) => _number = number;

    /// <summary>Makes a name.</summary>
    public IntOrString(string name) => Name = name ?? throw new ArgumentNullException(nameof(name));

    /// <summary>The name, or null when this is a number.</summary>
    public string? Name { get; }

    /// <summary>The number, or null when this is a name.</summary>
    public int? Number => Name is null ? _number : null;

    /// <summary>Makes a number.</summary>
    public static implicit operator IntOrString(int number) => new(number);

    /// <summary>Makes a name.</summary>
    public static implicit operator IntOrString(string name) => new(name);

    /// <summary>Makes a number.</summary>
    public static IntOrString FromInt32(int number) => new(number);

    /// <summary>Makes a name.</summary>
    public static IntOrString FromString(string name) => new(name);

    /// <summary>The number in digits, or the name.</summary>
    public override string ToString() => Name ?? _number.ToString(CultureInfo.InvariantCulture);
}

internal sealed class IntOrStringConverter : JsonConverter<IntOrString>
{
    public override IntOrString Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? new IntOrString(reader.GetString()!)
            : reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number)
                ? new IntOrString(number)
                : throw new JsonException("expected a whole number or a string");

    public override void Write(Utf8JsonWriter writer, IntOrString value, JsonSerializerOptions options)
    {
        if (value.Number is { } number)
        {
            writer.WriteNumberValue(number);
        }
        else
        {
            writer.WriteStringValue(value.Name);
        }
    }
}
