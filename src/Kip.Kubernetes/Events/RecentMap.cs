namespace Kip.Kubernetes.Events;

/// <summary>A map that holds so many entries and forgets those not used for longest.</summary>
internal sealed class RecentMap<TKey, TValue>(int capacity)
    where TKey : notnull
    where TValue : class
{
    private readonly Dictionary<TKey, LinkedListNode<(TKey Key, TValue Value)>> _nodes = [];
    private readonly LinkedList<(TKey Key, TValue Value)> _recent = [];

    public int Count => _nodes.Count;

    public TValue GetOrAdd(TKey key, Func<TValue> make)
    {
        if (_nodes.TryGetValue(key, out var node))
        {
            _recent.Remove(node);
            _recent.AddFirst(node);
            return node.Value.Value;
        }

        var value = make();
        _nodes.Add(key, _recent.AddFirst((key, value)));
        if (_nodes.Count > capacity)
        {
            _nodes.Remove(_recent.Last!.Value.Key);
            _recent.RemoveLast();
        }

        return value;
    }
}
