using System.Collections.Concurrent;
using System.Collections.Immutable;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Informers;

/// <summary>Objects by key and by index. One writer, readers at any time.</summary>
internal sealed class ObjectCache<T>(IReadOnlyDictionary<string, Func<T, IEnumerable<string>>> indexes)
    where T : class, IKubernetesObject
{
    private readonly ConcurrentDictionary<ObjectKey, T> _objects = new();
    private readonly Dictionary<string, ConcurrentDictionary<string, ImmutableHashSet<ObjectKey>>> _indexes =
        indexes.Keys.ToDictionary(name => name, _ => new ConcurrentDictionary<string, ImmutableHashSet<ObjectKey>>(StringComparer.Ordinal));

    public T? Get(ObjectKey key) => _objects.GetValueOrDefault(key);

    public IReadOnlyList<T> List() => [.. _objects.Select(pair => pair.Value)];

    public IReadOnlyList<T> ByIndex(string index, string value)
    {
        if (!_indexes.TryGetValue(index, out var values))
        {
            throw new ArgumentException($"there is no index {index}", nameof(index));
        }

        // A key may have gone between the two look-ups.
        return values.TryGetValue(value, out var keys) ? [.. keys.Select(Get).OfType<T>()] : [];
    }

    public T? Set(ObjectKey key, T value)
    {
        var old = Get(key);
        _objects[key] = value;
        Reindex(key, old, value);
        return old;
    }

    public T? Remove(ObjectKey key)
    {
        if (_objects.TryRemove(key, out var old))
        {
            Reindex(key, old, null);
        }

        return old;
    }

    private void Reindex(ObjectKey key, T? old, T? value)
    {
        foreach (var (name, valuesOf) in indexes)
        {
            var index = _indexes[name];
            var before = old is null ? [] : valuesOf(old).ToHashSet(StringComparer.Ordinal);
            var after = value is null ? [] : valuesOf(value).ToHashSet(StringComparer.Ordinal);
            foreach (var gone in before.Where(item => !after.Contains(item)))
            {
                var keys = index[gone].Remove(key);
                if (keys.IsEmpty)
                {
                    index.TryRemove(gone, out _);
                }
                else
                {
                    index[gone] = keys;
                }
            }

            foreach (var come in after.Where(item => !before.Contains(item)))
            {
                index[come] = index.GetValueOrDefault(come, []).Add(key);
            }
        }
    }
}
