using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Kip.Kubernetes;

/// <summary>
/// Compares a manifest with the fields of an object type: a value of the wrong type is an error, a field nobody
/// knows a warning, both with path and place, which the JSON reader could not tell.
/// </summary>
internal sealed class ManifestChecker
{
    private readonly string _source;
    private readonly List<string> _warnings = [];

    private ManifestChecker(string source) => _source = source;

    /// <summary>The warnings.</summary>
    /// <exception cref="ManifestException">A value has the wrong type.</exception>
    public static IReadOnlyList<string> Check(ManifestNode node, JsonTypeInfo type, string source)
    {
        var checker = new ManifestChecker(source);
        checker.CheckValue(node, type, "");
        return checker._warnings;
    }

    private void CheckValue(ManifestNode node, JsonTypeInfo type, string path)
    {
        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object:
                CheckObject(Expect<MappingNode>(node, path, "a mapping"), type, path);
                break;
            case JsonTypeInfoKind.Dictionary:
                CheckMap(Expect<MappingNode>(node, path, "a mapping"), type, path);
                break;
            case JsonTypeInfoKind.Enumerable:
                CheckList(Expect<SequenceNode>(node, path, "a list"), type, path);
                break;
            default:
                CheckScalar(node, Nullable.GetUnderlyingType(type.Type) ?? type.Type, path);
                break;
        }
    }

    private void CheckObject(MappingNode mapping, JsonTypeInfo type, string path)
    {
        foreach (var entry in mapping.Entries)
        {
            var field = path.Length == 0 ? entry.Key : $"{path}.{entry.Key}";
            var property = type.Properties.FirstOrDefault(property => property.Name == entry.Key && !property.IsExtensionData);
            if (property is null)
            {
                _warnings.Add($"{_source}:{entry.Line}: unknown field \"{field}\"{Suggestion(entry.Key, type)}");
            }
            else if (!IsNothing(entry.Value) || IsNeverNull(property.PropertyType))
            {
                CheckValue(entry.Value, type.Options.GetTypeInfo(property.PropertyType), field);
            }
        }
    }

    private void CheckMap(MappingNode mapping, JsonTypeInfo type, string path)
    {
        var element = type.Options.GetTypeInfo(type.ElementType!);
        foreach (var entry in mapping.Entries)
        {
            CheckValue(entry.Value, element, $"{path}.{entry.Key}");
        }
    }

    private void CheckList(SequenceNode sequence, JsonTypeInfo type, string path)
    {
        var element = type.Options.GetTypeInfo(type.ElementType!);
        for (var i = 0; i < sequence.Items.Count; i++)
        {
            CheckValue(sequence.Items[i], element, $"{path}[{i}]");
        }
    }

    private void CheckScalar(ManifestNode node, Type type, string path)
    {
        if (type == typeof(JsonElement))
        {
            return;
        }

        var scalar = node as ScalarNode;
        if (type == typeof(string) && scalar?.Kind != ScalarKind.String)
        {
            var hint = scalar is { IsNumber: true } or { Kind: ScalarKind.Boolean } ? $"; quote it (\"{scalar.Written}\")"
                : scalar is not null ? "; write \"\" for an empty one"
                : "";
            throw Mismatch(node, path, "a string", hint);
        }

        if (type == typeof(bool) && scalar?.Kind != ScalarKind.Boolean)
        {
            throw Mismatch(node, path, "true or false", UnquoteHint(scalar));
        }

        if (type == typeof(int) || type == typeof(long))
        {
            CheckInteger(node, type, path);
        }
        else if (type == typeof(decimal) && scalar is not { IsNumber: true })
        {
            throw Mismatch(node, path, "a number", UnquoteHint(scalar));
        }
        else if (type == typeof(Quantity))
        {
            CheckQuantity(node, path);
        }
        else if (type == typeof(IntOrString) && !(scalar is { Kind: ScalarKind.String } || IsInteger(scalar, typeof(int))))
        {
            throw Mismatch(node, path, "a whole number or a string");
        }
        else if (type == typeof(DateTimeOffset) && !(scalar is { Kind: ScalarKind.String } && Rfc3339Converter.TryParse(scalar.Text, out _)))
        {
            throw Mismatch(node, path, "a time such as 2026-11-22T10:00:00Z");
        }
    }

    private void CheckInteger(ManifestNode node, Type type, string path)
    {
        var scalar = node as ScalarNode;
        if (IsInteger(scalar, type))
        {
            return;
        }

        throw scalar is { Kind: ScalarKind.Integer }
            ? Error(node, $"{path}: {scalar.Written} is out of range")
            : Mismatch(node, path, "a whole number", UnquoteHint(scalar));
    }

    private static bool IsInteger(ScalarNode? scalar, Type type) =>
        scalar is { IsNumber: true }
        && (type == typeof(int)
            ? int.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
            : long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _));

    private void CheckQuantity(ManifestNode node, string path)
    {
        if (node is not ScalarNode { Kind: ScalarKind.String or ScalarKind.Integer or ScalarKind.Float } scalar)
        {
            throw Mismatch(node, path, "a quantity such as 500m");
        }

        if (!Quantity.TryParse(scalar.Text.Trim(), out _, out var problem))
        {
            throw Error(node, $"{path}: {problem}");
        }
    }

    private T Expect<T>(ManifestNode node, string path, string expected)
        where T : ManifestNode =>
        node as T ?? throw Mismatch(node, path, expected);

    private static bool IsNothing(ManifestNode node) => node is ScalarNode { Kind: ScalarKind.Null };

    private static bool IsNeverNull(Type type) => type.IsValueType && Nullable.GetUnderlyingType(type) is null;

    private static string UnquoteHint(ScalarNode? scalar) =>
        scalar is { Kind: ScalarKind.String } && YamlScalars.Resolve(scalar.Text).Kind is not (ScalarKind.String or ScalarKind.Null)
            ? "; write it without quotes"
            : "";

    private static string Suggestion(string name, JsonTypeInfo type) =>
        Spelling.Closest(name, type.Properties.Where(static p => !p.IsExtensionData).Select(static p => p.Name)) is { } meant ? $" (did you mean \"{meant}\"?)" : "";

    private ManifestException Mismatch(ManifestNode node, string path, string expected, string hint = "") =>
        Error(node, $"{path}: expected {expected}, found {node.Describe()}{hint}");

    private ManifestException Error(ManifestNode node, string problem) => new(_source, node.Line, node.Column, problem);
}
