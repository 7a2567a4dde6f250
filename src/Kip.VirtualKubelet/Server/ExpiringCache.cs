using System.Diagnostics.CodeAnalysis;

namespace Kip.VirtualKubelet.Server;

/// <summary>Remembers answers for a while, and never more than so many of them.</summary>
internal sealed class ExpiringCache<TKey, TValue>(TimeProvider time, int capacity)
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, (TValue Value, long Until)> _entries = [];

    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        lock (_gate)
        {
            var found = _entries.TryGetValue(key, out var entry) && time.GetTimestamp() < entry.Until;
            value = entry.Value;
            return found;
        }
    }

    public void Set(TKey key, TValue value, TimeSpan lifetime)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_entries.Count >= capacity)
            {
                foreach (var (old, _) in _entries.Where(entry => entry.Value.Until <= now).ToArray())
                {
                    _entries.Remove(old);
                }
            }

            if (_entries.Count >= capacity)
            {
                // Whoever asks so much with so many names pays with calls, not with memory.
                _entries.Clear();
            }

            _entries[key] = (value, now + (long)(lifetime.TotalSeconds * time.TimestampFrequency));
        }
    }
}
