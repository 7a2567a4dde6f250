using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Kip.Kubernetes;

/// <summary>
/// Rewrites a configuration into the form that the strict reader takes: keys as the type spells them, strings where it wants strings.
/// Numbers become what the file says, so that 012 stays 012; yes and on become true, as they do in Go.
/// </summary>
internal sealed class LenientForm
{
    private readonly string _source;

    private LenientForm(string source) => _source = source;

    /// <exception cref="ManifestException">A key is given twice, in different spellings.</exception>
    public static MappingNode Of(MappingNode mapping, JsonTypeInfo type, string source) =>
        (MappingNode)new LenientForm(source).Rewrite(mapping, type, "");

    private ManifestNode Rewrite(ManifestNode node, JsonTypeInfo type, string path) => (node, type.Kind) switch
    {
        (MappingNode mapping, JsonTypeInfoKind.Object) => RewriteObject(mapping, type, path),
        (MappingNode mapping, JsonTypeInfoKind.Dictionary) => RewriteMap(mapping, type.Options.GetTypeInfo(type.ElementType!), path),
        (SequenceNode sequence, JsonTypeInfoKind.Enumerable) => RewriteList(sequence, type.Options.GetTypeInfo(type.ElementType!), path),
        (ScalarNode scalar, JsonTypeInfoKind.None) when type.Type == typeof(string) => RewriteText(scalar),
        _ => node,
    };

    private MappingNode RewriteObject(MappingNode mapping, JsonTypeInfo type, string path)
    {
        var result = new MappingNode(mapping.Line, mapping.Column);
        foreach (var entry in mapping.Entries)
        {
            var property = type.Properties.FirstOrDefault(p => !p.IsExtensionData && string.Equals(p.Name, entry.Key, StringComparison.OrdinalIgnoreCase));
            var name = property?.Name ?? entry.Key;
            var field = path.Length == 0 ? name : $"{path}.{name}";
            var value = property is null ? entry.Value : Rewrite(entry.Value, type.Options.GetTypeInfo(property.PropertyType), field);
            if (!result.TryAdd(entry with { Key = name, Value = value }))
            {
                throw new ManifestException(_source, entry.Line, entry.Column, $"{field}: given twice, first in line {result.Find(name)!.Line}; upper and lower case count as the same");
            }
        }

        return result;
    }

    private MappingNode RewriteMap(MappingNode mapping, JsonTypeInfo element, string path)
    {
        var result = new MappingNode(mapping.Line, mapping.Column);
        foreach (var entry in mapping.Entries)
        {
            // A key without a value in a map of strings is an empty one.
            ManifestNode value = entry.Value is ScalarNode { Kind: ScalarKind.Null } && element.Type == typeof(string)
                ? new ScalarNode(entry.Value.Line, entry.Value.Column, ScalarKind.String, "", "")
                : Rewrite(entry.Value, element, $"{path}.{entry.Key}");
            result.TryAdd(entry with { Value = value });
        }

        return result;
    }

    private SequenceNode RewriteList(SequenceNode sequence, JsonTypeInfo element, string path)
    {
        var result = new SequenceNode(sequence.Line, sequence.Column);
        for (var i = 0; i < sequence.Items.Count; i++)
        {
            result.Add(Rewrite(sequence.Items[i], element, $"{path}[{i}]"));
        }

        return result;
    }

    private static ScalarNode RewriteText(ScalarNode scalar) => scalar switch
    {
        { IsNumber: true } => new ScalarNode(scalar.Line, scalar.Column, ScalarKind.String, scalar.Written, scalar.Written),
        { Kind: ScalarKind.Boolean } => new ScalarNode(scalar.Line, scalar.Column, ScalarKind.String, scalar.Text, scalar.Written),
        _ => scalar,
    };
}
