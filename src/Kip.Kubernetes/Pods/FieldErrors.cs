using System.Globalization;

namespace Kip.Kubernetes;

/// <summary>Collects field errors, worded as the API server words them.</summary>
internal sealed class FieldErrors
{
    private readonly List<FieldError> _errors = [];

    public IReadOnlyList<FieldError> All => _errors;

    public void Required(string field, string detail = "") => Add(field, "Required value", detail);

    public void Invalid(string field, object value, string detail)
    {
        var shown = value is string text ? $"\"{text}\"" : Convert.ToString(value, CultureInfo.InvariantCulture);
        Add(field, $"Invalid value: {shown}", detail);
    }

    public void Duplicate(string field, object value) =>
        Add(field, $"Duplicate value: {(value is string text ? $"\"{text}\"" : Convert.ToString(value, CultureInfo.InvariantCulture))}", "");

    public void NotFound(string field, string value) => Add(field, $"Not found: \"{value}\"", "");

    public void Forbidden(string field, string detail) => Add(field, "Forbidden", detail);

    public void NotSupported(string field, string value, params ReadOnlySpan<string> supported) =>
        Add(field, $"Unsupported value: \"{value}\"", "supported values: \"" + string.Join("\", \"", supported!) + "\"");

    /// <summary>Complains unless the value is absent or one of those supported.</summary>
    public void OneOf(string field, string? value, params ReadOnlySpan<string> supported)
    {
        if (value is not null && !supported.Contains(value))
        {
            NotSupported(field, value, supported);
        }
    }

    /// <summary>Complains unless the value is absent or at least <paramref name="least"/>.</summary>
    public void AtLeast(string field, long? value, long least)
    {
        if (value < least)
        {
            Invalid(field, value.Value, $"must be greater than or equal to {least}");
        }
    }

    private void Add(string field, string what, string detail) =>
        _errors.Add(new FieldError(field, detail.Length == 0 ? what : $"{what}: {detail}"));
}
