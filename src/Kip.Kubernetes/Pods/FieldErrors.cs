using System.Globalization;

namespace Kip.Kubernetes;

/// <summary>Collects field errors, worded as the API server words them.</summary>
public sealed class FieldErrors
{
    private readonly List<FieldError> _errors = [];

    /// <summary>What was collected, in order.</summary>
    public IReadOnlyList<FieldError> All => _errors;

    /// <summary>A field that must be given is not.</summary>
    public void Required(string field, string detail = "") => Add(field, "Required value", detail);

    /// <summary>A value that the field cannot take.</summary>
    public void Invalid(string field, object value, string detail) => Add(field, $"Invalid value: {Show(value)}", detail);

    /// <summary>A value that may be there once is there twice.</summary>
    public void Duplicate(string field, object value) => Add(field, $"Duplicate value: {Show(value)}", "");

    /// <summary>A name that nothing bears.</summary>
    public void NotFound(string field, string value) => Add(field, $"Not found: \"{value}\"", "");

    /// <summary>A field that may not be given here.</summary>
    public void Forbidden(string field, string detail) => Add(field, "Forbidden", detail);

    /// <summary>A value that is none of those there are.</summary>
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

    private static string? Show(object value) =>
        value is string text ? $"\"{text}\"" : Convert.ToString(value, CultureInfo.InvariantCulture);

    private void Add(string field, string what, string detail) =>
        _errors.Add(new FieldError(field, detail.Length == 0 ? what : $"{what}: {detail}"));
}
