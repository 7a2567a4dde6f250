using Kip.Drivers;

namespace Kip.Testing;

/// <summary>The routes of a simulated cloud's network. One that leads to an instance that has ended stays, and leads nowhere.</summary>
internal sealed class SimulatedRoutes(SimulatedCloud cloud)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _instances = new(StringComparer.Ordinal); // by range

    public IReadOnlyDictionary<string, string> All
    {
        get
        {
            lock (_gate)
            {
                return new Dictionary<string, string>(_instances, StringComparer.Ordinal);
            }
        }
    }

    public void Add(string controllerId, string instanceId, IEnumerable<string> ranges)
    {
        if (cloud.Find(controllerId, instanceId) is not { State: < InstanceState.Terminating })
        {
            throw new DriverException(DriverErrorKind.NotFound, $"There is no instance {instanceId}.");
        }

        lock (_gate)
        {
            foreach (var range in ranges)
            {
                _instances[range] = instanceId;
            }
        }
    }

    public void Remove(string instanceId, IEnumerable<string> ranges)
    {
        lock (_gate)
        {
            foreach (var range in ranges.Where(range => _instances.GetValueOrDefault(range) == instanceId))
            {
                _instances.Remove(range);
            }
        }
    }
}
