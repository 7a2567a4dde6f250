using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>Which pods need which objects, both ways round. Objects are followed as long as a pod needs them.</summary>
internal sealed class PodDependencies(IObjectSource source)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ObjectKey, HashSet<ObjectId>> _needed = [];
    private readonly Dictionary<ObjectId, HashSet<ObjectKey>> _dependents = [];

    /// <summary>Says what a pod needs besides what it is known to need.</summary>
    public void Add(ObjectKey pod, IEnumerable<ObjectId> objects)
    {
        lock (_lock)
        {
            if (!_needed.TryGetValue(pod, out var needed))
            {
                _needed[pod] = needed = [];
            }

            foreach (var id in objects.Where(needed.Add))
            {
                if (!_dependents.TryGetValue(id, out var dependents))
                {
                    _dependents[id] = dependents = [];
                    source.Follow(id);
                }

                dependents.Add(pod);
            }
        }
    }

    /// <summary>Says that a pod needs these objects and no others.</summary>
    public void Set(ObjectKey pod, IReadOnlySet<ObjectId> objects)
    {
        Add(pod, objects);
        lock (_lock)
        {
            foreach (var id in _needed[pod].Where(id => !objects.Contains(id)).ToList())
            {
                _needed[pod].Remove(id);
                Leave(pod, id);
            }
        }
    }

    public void Remove(ObjectKey pod)
    {
        lock (_lock)
        {
            if (_needed.Remove(pod, out var needed))
            {
                foreach (var id in needed)
                {
                    Leave(pod, id);
                }
            }
        }
    }

    /// <summary>The pods that are to be resolved anew when the object has changed.</summary>
    public IReadOnlyList<ObjectKey> DependentsOf(ObjectId id)
    {
        // Services are in the environment only, which a running container has for good.
        if (id.Kind == ObjectKind.Service)
        {
            return [];
        }

        lock (_lock)
        {
            return _dependents.TryGetValue(id, out var pods) ? [.. pods] : [];
        }
    }

    private void Leave(ObjectKey pod, ObjectId id)
    {
        var dependents = _dependents[id];
        dependents.Remove(pod);
        if (dependents.Count == 0)
        {
            _dependents.Remove(id);
            source.Release(id);
        }
    }
}
