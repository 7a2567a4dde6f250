using System.Text.Json;

namespace Kip.Kubernetes;

/// <summary>
/// A value of a manifest and where it stands. Aliases share nodes, so a small text may stand for a huge tree:
/// <see cref="Size"/> counts the tree without walking it.
/// </summary>
internal abstract class ManifestNode(int line, int column)
{
    public int Line { get; } = line;

    public int Column { get; } = column;

    /// <summary>How many nodes this one and those below it are, each counted as often as it appears.</summary>
    public long Size { get; protected set; } = 1;

    /// <summary>How many levels this node and those below it span.</summary>
    public int Height { get; protected set; } = 1;

    /// <summary>The node in words, for "found …".</summary>
    public abstract string Describe();

    public abstract void WriteTo(Utf8JsonWriter writer);

    protected void Account(ManifestNode child)
    {
        Size += child.Size;
        Height = Math.Max(Height, child.Height + 1);
    }
}

internal enum ScalarKind
{
    Null,
    Boolean,
    Integer,
    Float,
    String,
}

/// <summary>A single value: <paramref name="text"/> is its JSON text (a string's content), <paramref name="written"/> what the manifest says.</summary>
internal sealed class ScalarNode(int line, int column, ScalarKind kind, string text, string written) : ManifestNode(line, column)
{
    private const int ShownLength = 40;

    public ScalarKind Kind { get; } = kind;

    public string Text { get; } = text;

    public string Written { get; } = written;

    public bool IsNumber => Kind is ScalarKind.Integer or ScalarKind.Float;

    public override string Describe() => Kind switch
    {
        ScalarKind.Null => "nothing",
        ScalarKind.Boolean => $"the boolean {Written}",
        ScalarKind.String => $"the string \"{(Text.Length > ShownLength ? Text[..ShownLength] + "…" : Text)}\"",
        _ => $"the number {Written}",
    };

    public override void WriteTo(Utf8JsonWriter writer)
    {
        switch (Kind)
        {
            case ScalarKind.Null:
                writer.WriteNullValue();
                break;
            case ScalarKind.Boolean:
                writer.WriteBooleanValue(Text == "true");
                break;
            case ScalarKind.String:
                writer.WriteStringValue(Text);
                break;
            default:
                writer.WriteRawValue(Text);
                break;
        }
    }
}

internal sealed class SequenceNode(int line, int column) : ManifestNode(line, column)
{
    private readonly List<ManifestNode> _items = [];

    public IReadOnlyList<ManifestNode> Items => _items;

    public void Add(ManifestNode item)
    {
        _items.Add(item);
        Account(item);
    }

    public override string Describe() => "a list";

    public override void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartArray();
        foreach (var item in _items)
        {
            item.WriteTo(writer);
        }

        writer.WriteEndArray();
    }
}

/// <summary>A key of a mapping, where it stands, and its value.</summary>
internal sealed record MappingEntry(string Key, int Line, int Column, ManifestNode Value);

internal sealed class MappingNode(int line, int column) : ManifestNode(line, column)
{
    private readonly OrderedDictionary<string, MappingEntry> _entries = new(StringComparer.Ordinal);

    public IReadOnlyList<MappingEntry> Entries => _entries.Values;

    public MappingEntry? Find(string key) => _entries.GetValueOrDefault(key);

    /// <summary>False when the key is there already; the first value stays.</summary>
    public bool TryAdd(MappingEntry entry)
    {
        if (!_entries.TryAdd(entry.Key, entry))
        {
            return false;
        }

        Account(entry.Value);
        return true;
    }

    public override string Describe() => "a mapping";

    public override void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach (var entry in _entries.Values)
        {
            writer.WritePropertyName(entry.Key);
            entry.Value.WriteTo(writer);
        }

        writer.WriteEndObject();
    }
}
