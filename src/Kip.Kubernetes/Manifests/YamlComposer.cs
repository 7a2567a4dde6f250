using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Kip.Kubernetes;

/// <summary>
/// Builds the documents of a YAML text (JSON is YAML) from parser events: resolves aliases, merge keys and scalar
/// types, refuses duplicate keys, and bounds depth and expanded size.
/// </summary>
internal sealed class YamlComposer
{
    /// <summary>As deep as the JSON reader goes.</summary>
    private const int MaxDepth = 60;

    /// <summary>More than any object an API server accepts; aliases can ask for billions.</summary>
    private const int MaxNodes = 200_000;

    private const string MergeKey = "<<";
    private const string TagPrefix = "tag:yaml.org,2002:";

    private readonly Scanner _scanner;
    private readonly Parser _parser;
    private readonly string _source;
    private readonly Dictionary<AnchorName, ManifestNode> _anchors = [];

    private YamlComposer(string text, string source)
    {
        // Keys longer than the default 1024 characters are legal in JSON.
        _scanner = new Scanner(new StringReader(text), skipComments: true, maxKeySize: text.Length + 1);
        _parser = new Parser(_scanner);
        _source = source;
    }

    /// <exception cref="ManifestException">The text is not YAML, or breaks one of the bounds.</exception>
    public static List<ManifestNode> Compose(string text, string source)
    {
        var composer = new YamlComposer(text, source);
        try
        {
            return composer.ComposeStream();
        }
        catch (YamlException e) when (e.Message.Contains("tab", StringComparison.Ordinal) && FindTab(text, e.Start) is { } line)
        {
            throw new ManifestException(source, line, 1, "a tab is used for indentation; use spaces", e);
        }
        catch (YamlException e)
        {
            throw composer.NotYaml(e.Start, e);
        }
        catch (InvalidOperationException e)
        {
            // The scanner's answer to some malformed texts; it carries no place.
            throw composer.NotYaml(composer._scanner.CurrentPosition, e);
        }
    }

    /// <summary>The first line from <paramref name="start"/> on that has a tab before its content.</summary>
    private static int? FindTab(string text, Mark start)
    {
        var number = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            number++;
            if (number >= start.Line && line[..^line.TrimStart(" \t").Length].Contains('\t'))
            {
                return number;
            }
        }

        return null;
    }

    private ManifestException NotYaml(Mark at, Exception e) =>
        new(_source, (int)Math.Max(at.Line, 1), (int)Math.Max(at.Column, 1), $"not YAML: {char.ToLowerInvariant(e.Message[0])}{e.Message[1..]}", e);

    private List<ManifestNode> ComposeStream()
    {
        var documents = new List<ManifestNode>();
        _parser.Consume<StreamStart>();
        while (!_parser.TryConsume<StreamEnd>(out _))
        {
            _parser.Consume<DocumentStart>();
            _anchors.Clear();
            var root = ComposeNode(1);
            _parser.Consume<DocumentEnd>();
            if (root is not ScalarNode { Kind: ScalarKind.Null })
            {
                documents.Add(root);
            }
        }

        return documents;
    }

    private ManifestNode ComposeNode(int depth)
    {
        var @event = _parser.Consume<ParsingEvent>();
        if (depth > MaxDepth)
        {
            throw Error(@event, $"nested deeper than {MaxDepth} levels");
        }

        if (@event is AnchorAlias alias)
        {
            return _anchors.TryGetValue(alias.Value, out var target)
                ? target
                : throw Error(@event, $"alias *{alias.Value} refers to no anchor before it");
        }

        ManifestNode node = @event switch
        {
            Scalar scalar => ComposeScalar(scalar),
            SequenceStart start => ComposeSequence(start, depth),
            MappingStart start => ComposeMapping(start, depth),
            _ => throw Error(@event, $"not YAML: unexpected {@event.GetType().Name}"),
        };
        Bound(node, depth, @event);
        if (((NodeEvent)@event).Anchor is { IsEmpty: false } anchor)
        {
            _anchors[anchor] = node;
        }

        return node;
    }

    private ScalarNode ComposeScalar(Scalar scalar)
    {
        var (line, column) = Place(scalar);
        var tag = scalar.Tag.IsEmpty ? "" : scalar.Tag.Value;
        if (tag is "!" or TagPrefix + "str" || (tag.Length == 0 && !scalar.IsPlainImplicit))
        {
            return new ScalarNode(line, column, ScalarKind.String, scalar.Value, scalar.Value);
        }

        if (YamlScalars.IsNotFinite(scalar.Value))
        {
            throw Error(scalar, $"{scalar.Value} is no number that JSON can hold");
        }

        var (kind, text) = YamlScalars.Resolve(scalar.Value);
        var matches = tag switch
        {
            "" => true,
            TagPrefix + "int" => kind == ScalarKind.Integer,
            TagPrefix + "float" => kind is ScalarKind.Integer or ScalarKind.Float,
            TagPrefix + "bool" => kind == ScalarKind.Boolean,
            TagPrefix + "null" => kind == ScalarKind.Null,
            TagPrefix + "timestamp" => kind == ScalarKind.String,
            _ => throw Error(scalar, $"tag {tag} is not supported"),
        };
        return matches
            ? new ScalarNode(line, column, kind, text, scalar.Value)
            : throw Error(scalar, $"'{scalar.Value}' does not fit its tag {tag}");
    }

    private SequenceNode ComposeSequence(SequenceStart start, int depth)
    {
        RequireKnownTag(start, TagPrefix + "seq");
        var (line, column) = Place(start);
        var sequence = new SequenceNode(line, column);
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            sequence.Add(ComposeNode(depth + 1));
            Bound(sequence, depth, start);
        }

        return sequence;
    }

    private MappingNode ComposeMapping(MappingStart start, int depth)
    {
        RequireKnownTag(start, TagPrefix + "map");
        var (line, column) = Place(start);
        var mapping = new MappingNode(line, column);
        var merged = new List<ManifestNode>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var isMerge = _parser.Accept<Scalar>(out var scalar) && scalar.Value == MergeKey && scalar.IsPlainImplicit;
            var key = ComposeNode(depth + 1);
            var value = ComposeNode(depth + 1);
            if (isMerge)
            {
                merged.Add(value);
                continue;
            }

            var name = KeyText(key);
            if (!mapping.TryAdd(new MappingEntry(name, key.Line, key.Column, value)))
            {
                throw new ManifestException(
                    _source, key.Line, key.Column, $"key \"{name}\" is given twice, first in line {mapping.Find(name)!.Line}");
            }

            Bound(mapping, depth, start);
        }

        // Keys of the mapping itself win over merged ones, wherever the merge key stands.
        foreach (var source in merged)
        {
            Merge(mapping, source);
            Bound(mapping, depth, start);
        }

        return mapping;
    }

    private void Merge(MappingNode target, ManifestNode source)
    {
        switch (source)
        {
            case MappingNode mapping:
                foreach (var entry in mapping.Entries)
                {
                    target.TryAdd(entry);
                }

                break;
            case SequenceNode sequence when sequence.Items.All(item => item is MappingNode):
                foreach (var item in sequence.Items)
                {
                    Merge(target, item);
                }

                break;
            default:
                throw new ManifestException(
                    _source, source.Line, source.Column, $"the merge key << takes a mapping or a list of mappings, found {source.Describe()}");
        }
    }

    private string KeyText(ManifestNode key) => key switch
    {
        ScalarNode { Kind: not ScalarKind.Null } scalar => scalar.Text,
        _ => throw new ManifestException(_source, key.Line, key.Column, $"a key must be a string, found {key.Describe()}"),
    };

    private void RequireKnownTag(NodeEvent start, string known)
    {
        if (!start.Tag.IsEmpty && start.Tag.Value != known && !start.Tag.IsNonSpecific)
        {
            throw Error(start, $"tag {start.Tag.Value} is not supported");
        }
    }

    private void Bound(ManifestNode node, int depth, ParsingEvent at)
    {
        if (node.Size > MaxNodes)
        {
            throw Error(at, $"more than {MaxNodes} values once aliases are expanded");
        }

        if (depth - 1 + node.Height > MaxDepth)
        {
            throw Error(at, $"nested deeper than {MaxDepth} levels once aliases are expanded");
        }
    }

    private ManifestException Error(ParsingEvent at, string problem)
    {
        var (line, column) = Place(at);
        return new ManifestException(_source, line, column, problem);
    }

    private static (int Line, int Column) Place(ParsingEvent at) => ((int)at.Start.Line, (int)at.Start.Column);
}
