using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>Something that happened to an object, told to its owner (v1/Event).</summary>
public sealed class KubernetesEvent : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c> for an event.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Event</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the event.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The object it happened to.</summary>
    public ObjectReference InvolvedObject { get; set => field = value ?? new(); } = new();

    /// <summary>What happened, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>What happened, for people.</summary>
    public string? Message { get; set; }

    /// <summary>Who reports it.</summary>
    public EventSource? Source { get; set; }

    /// <summary>When it happened first.</summary>
    public DateTimeOffset? FirstTimestamp { get; set; }

    /// <summary>When it happened last.</summary>
    public DateTimeOffset? LastTimestamp { get; set; }

    /// <summary>How often it happened.</summary>
    public int? Count { get; set; }

    /// <summary>Normal or Warning.</summary>
    public string? Type { get; set; }

    /// <summary>When it happened, in microseconds; carried as it is.</summary>
    public JsonElement? EventTime { get; set; }

    /// <summary>The series the event stands for; carried as it is.</summary>
    public JsonElement? Series { get; set; }

    /// <summary>What was done about it.</summary>
    public string? Action { get; set; }

    /// <summary>Another object that plays a part.</summary>
    public ObjectReference? Related { get; set; }

    /// <summary>The controller that reports it.</summary>
    public string? ReportingComponent { get; set; }

    /// <summary>The instance of that controller.</summary>
    public string? ReportingInstance { get; set; }
}

/// <summary>Who reports an event.</summary>
public sealed class EventSource : ApiObject
{
    /// <summary>The component.</summary>
    public string? Component { get; set; }

    /// <summary>The node it runs on.</summary>
    public string? Host { get; set; }
}
