using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Events;

/// <summary>Tells the owners of objects what happened to them.</summary>
public interface IEventRecorder
{
    /// <summary>Records an event. Returns at once and never throws for what goes wrong afterwards.</summary>
    /// <param name="involved">The object it happened to; see <see cref="ObjectReferences"/>.</param>
    /// <param name="type">See <see cref="EventType"/>.</param>
    /// <param name="reason">What happened, in one CamelCase word.</param>
    /// <param name="message">What happened, for people.</param>
    void Record(ObjectReference involved, string type, string reason, string message);
}
