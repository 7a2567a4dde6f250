using System.Collections.Concurrent;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Tests.Support;

/// <summary>Keeps events instead of telling an API server.</summary>
internal sealed class RecordedEvents : IEventRecorder
{
    private readonly ConcurrentQueue<string> _all = new();

    /// <summary>Oldest first: name, type, reason and message.</summary>
    public IReadOnlyCollection<string> All => _all;

    public void Record(ObjectReference involved, string type, string reason, string message) => _all.Enqueue($"{involved.Name} {type} {reason}: {message}");
}
