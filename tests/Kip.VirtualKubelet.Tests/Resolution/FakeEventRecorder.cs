using Kip.Kubernetes.Events;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Tests.Resolution;

/// <summary>Keeps events as lines of text.</summary>
internal sealed class FakeEventRecorder : IEventRecorder
{
    public List<string> Events { get; } = [];

    public void Record(ObjectReference involved, string type, string reason, string message) => Events.Add($"{involved.Name} {type} {reason}: {message}");
}
