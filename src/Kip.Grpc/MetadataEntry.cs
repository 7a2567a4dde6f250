namespace Kip.Grpc;

/// <summary>One key with one value.</summary>
public readonly struct MetadataEntry
{
    private readonly string? _text;
    private readonly byte[]? _bytes;

    internal MetadataEntry(string key, string text)
    {
        Key = key;
        _text = text;
    }

    internal MetadataEntry(string key, byte[] bytes)
    {
        Key = key;
        _bytes = bytes;
    }

    /// <summary>The key, in lower case.</summary>
    public string Key { get; }

    /// <summary>Whether the value is bytes, which is so exactly when the key ends with <c>-bin</c>.</summary>
    public bool IsBinary => _bytes is not null;

    /// <summary>The ASCII value.</summary>
    /// <exception cref="InvalidOperationException">The value is bytes.</exception>
    public string Value => _text ?? throw new InvalidOperationException($"Metadata '{Key}' carries bytes: read {nameof(ValueBytes)}.");

    /// <summary>The bytes.</summary>
    /// <exception cref="InvalidOperationException">The value is ASCII.</exception>
    public ReadOnlyMemory<byte> ValueBytes =>
        _bytes ?? throw new InvalidOperationException($"Metadata '{Key}' carries text: read {nameof(Value)}.");

    /// <summary>Key and value, for people; bytes in base64.</summary>
    public override string ToString() => $"{Key}: {_text ?? Convert.ToBase64String(_bytes ?? [])}";
}
