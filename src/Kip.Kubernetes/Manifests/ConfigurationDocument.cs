namespace Kip.Kubernetes;

/// <summary>A configuration that was read, and where in its text each field stands.</summary>
/// <typeparam name="T">Its shape.</typeparam>
public sealed class ConfigurationDocument<T>
    where T : class
{
    private readonly string _source;
    private readonly Lazy<Dictionary<string, (int Line, string? Text)>> _fields;

    internal ConfigurationDocument(T value, IReadOnlyList<string> warnings, MappingNode root, string source)
    {
        Value = value;
        Warnings = warnings;
        _source = source;
        _fields = new(() =>
        {
            var fields = new Dictionary<string, (int, string?)>(StringComparer.Ordinal) { [""] = (root.Line, null) };
            Collect(root, "", fields);
            return fields;
        });
    }

    /// <summary>The configuration.</summary>
    public T Value { get; }

    /// <summary>One for each field nobody knows, with its place.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Where a field stands, or, when it is missing, where the object stands that lacks it: <c>provider.yaml:12</c>.</summary>
    /// <param name="path">The field's path, such as <c>cells.standbyCells[0].count</c>.</param>
    public string Place(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        while (!_fields.Value.ContainsKey(path))
        {
            path = path[..Math.Max(0, path.LastIndexOfAny(['.', '[']))];
        }

        return $"{_source}:{_fields.Value[path].Line}";
    }

    /// <summary>Whether a field is in the text, and has a value there.</summary>
    public bool Has(string path) => _fields.Value.ContainsKey(path);

    /// <summary>The paths of the fields whose value is this very string.</summary>
    public IEnumerable<string> PathsOf(string text) => _fields.Value.Where(f => f.Value.Text == text).Select(static f => f.Key);

    private static void Collect(ManifestNode node, string path, Dictionary<string, (int Line, string? Text)> fields)
    {
        switch (node)
        {
            case MappingNode mapping:
                foreach (var entry in mapping.Entries)
                {
                    Add(entry.Value, entry.Line, path.Length == 0 ? entry.Key : $"{path}.{entry.Key}", fields);
                }

                break;
            case SequenceNode sequence:
                for (var i = 0; i < sequence.Items.Count; i++)
                {
                    Add(sequence.Items[i], sequence.Items[i].Line, $"{path}[{i}]", fields);
                }

                break;
        }
    }

    private static void Add(ManifestNode node, int line, string path, Dictionary<string, (int Line, string? Text)> fields)
    {
        if (node is ScalarNode { Kind: ScalarKind.Null })
        {
            return;
        }

        fields.TryAdd(path, (line, node is ScalarNode { Kind: ScalarKind.String } scalar ? scalar.Text : null));
        Collect(node, path, fields);
    }
}
