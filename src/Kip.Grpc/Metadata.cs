using System.Buffers;
using System.Collections;
using System.Diagnostics.CodeAnalysis;

using Kip.Grpc.Wire;

namespace Kip.Grpc;

/// <summary>
/// Keys and values that travel before a call's messages (headers) or behind them (trailers): ordered, a key may come
/// more than once. Keys are ASCII and compare without case; a key that ends with <c>-bin</c> carries bytes, any other
/// one printable ASCII.
/// </summary>
/// <remarks>Not safe for concurrent writes. Format: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md</remarks>
[SuppressMessage("Naming", "CA1710", Justification = "The name gRPC libraries use.")]
public sealed class Metadata : IReadOnlyCollection<MetadataEntry>
{
    private static readonly SearchValues<char> KeyCharacters = SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyz-_.");

    private readonly List<MetadataEntry> _entries = [];

    /// <inheritdoc/>
    public int Count => _entries.Count;

    /// <summary>Appends a text value.</summary>
    /// <exception cref="ArgumentException">
    /// The key is empty, not ASCII letters, digits, <c>-_.</c>, belongs to the protocol, or ends with <c>-bin</c>; or the
    /// value is not printable ASCII.
    /// </exception>
    public void Add(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        key = CheckKey(key);
        if (MetadataWire.IsBinaryKey(key))
        {
            throw new ArgumentException($"Metadata '{key}' ends with -bin and so carries bytes.", nameof(key));
        }

        if (value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            throw new ArgumentException($"The value of metadata '{key}' is not printable ASCII: use a key that ends with -bin.", nameof(value));
        }

        _entries.Add(new MetadataEntry(key, value));
    }

    /// <summary>Appends bytes, which are copied.</summary>
    /// <exception cref="ArgumentException">The key is not a metadata key, or does not end with <c>-bin</c>.</exception>
    public void Add(string key, ReadOnlySpan<byte> value)
    {
        key = CheckKey(key);
        if (!MetadataWire.IsBinaryKey(key))
        {
            throw new ArgumentException($"Metadata '{key}' carries bytes and so must end with -bin.", nameof(key));
        }

        _entries.Add(new MetadataEntry(key, value.ToArray()));
    }

    /// <summary>The last text value of a key, or null.</summary>
    public string? GetValue(string key)
    {
        int index = FindLast(key);
        return index < 0 ? null : _entries[index].Value;
    }

    /// <summary>The last bytes of a key, or null.</summary>
    public byte[]? GetValueBytes(string key)
    {
        int index = FindLast(key);
        return index < 0 ? null : _entries[index].ValueBytes.ToArray();
    }

    /// <summary>All entries of a key, in order.</summary>
    public IEnumerable<MetadataEntry> GetAll(string key) =>
        _entries.Where(entry => string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase));

    /// <inheritdoc/>
    public IEnumerator<MetadataEntry> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Appends what came from the wire, where the peer and not the user answers for it.</summary>
    internal void AddReceived(MetadataEntry entry) => _entries.Add(entry);

    private static string CheckKey(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        string lower = key.ToLowerInvariant();
        if (lower.AsSpan().ContainsAnyExcept(KeyCharacters))
        {
            throw new ArgumentException($"'{key}' is not a metadata key: letters, digits, '-', '_' and '.' only.", nameof(key));
        }

        if (MetadataWire.IsReserved(lower))
        {
            throw new ArgumentException($"'{key}' belongs to the protocol.", nameof(key));
        }

        return lower;
    }

    private int FindLast(string key) =>
        _entries.FindLastIndex(entry => string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase));
}
