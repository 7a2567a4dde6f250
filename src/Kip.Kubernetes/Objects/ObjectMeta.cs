using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Objects;

/// <summary>What every Kubernetes object carries to be found and owned.</summary>
public sealed class ObjectMeta : ApiObject
{
    /// <summary>The name, unique in its namespace.</summary>
    public string? Name { get; set; }

    /// <summary>A prefix from which a name is made when there is none.</summary>
    public string? GenerateName { get; set; }

    /// <summary>The namespace the object lives in.</summary>
    public string? Namespace { get; set; }

    /// <summary>The object's URL, set by old API servers only.</summary>
    public string? SelfLink { get; set; }

    /// <summary>The identity in space and time, set by the API server.</summary>
    public string? Uid { get; set; }

    /// <summary>The version for optimistic concurrency and watches; opaque.</summary>
    public string? ResourceVersion { get; set; }

    /// <summary>Counts changes of the wanted state.</summary>
    public long? Generation { get; set; }

    /// <summary>When the object was made.</summary>
    public DateTimeOffset? CreationTimestamp { get; set; }

    /// <summary>When the object is to be gone; set as soon as deletion is asked for.</summary>
    public DateTimeOffset? DeletionTimestamp { get; set; }

    /// <summary>Seconds the object has to end gracefully once deletion is asked for.</summary>
    public long? DeletionGracePeriodSeconds { get; set; }

    /// <summary>Keys and values to select by.</summary>
    public Dictionary<string, string>? Labels { get; set; }

    /// <summary>Keys and values nobody selects by.</summary>
    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>Objects this one depends on.</summary>
    public List<OwnerReference>? OwnerReferences { get; set; }

    /// <summary>Names that must be removed before the object goes.</summary>
    public List<string>? Finalizers { get; set; }

    /// <summary>
    /// Who set which field, half of what many objects are: left out when an object is read. An API server keeps what it has when an object
    /// is written without.
    /// </summary>
    [JsonInclude]
    [JsonConverter(typeof(LeftOutConverter))]
    internal JsonElement? ManagedFields { get; set; }
}

/// <summary>Names an object that owns another one in the same namespace.</summary>
public sealed class OwnerReference : ApiObject
{
    /// <summary>API group and version of the owner.</summary>
    public string ApiVersion { get; set => field = value ?? ""; } = "";

    /// <summary>Kind of the owner.</summary>
    public string Kind { get; set => field = value ?? ""; } = "";

    /// <summary>Name of the owner.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>Identity of the owner.</summary>
    public string Uid { get; set => field = value ?? ""; } = "";

    /// <summary>Whether the owner is the managing controller.</summary>
    public bool? Controller { get; set; }

    /// <summary>Whether the owner may go, in foreground deletion, only after this object.</summary>
    public bool? BlockOwnerDeletion { get; set; }
}

/// <summary>Names an object in the same namespace.</summary>
public sealed class LocalObjectReference : ApiObject
{
    /// <summary>Name of the object.</summary>
    public string? Name { get; set; }
}

/// <summary>Names an object anywhere, or a part of it.</summary>
public sealed class ObjectReference : ApiObject
{
    /// <summary>Kind of the object.</summary>
    public string? Kind { get; set; }

    /// <summary>Namespace of the object.</summary>
    public string? Namespace { get; set; }

    /// <summary>Name of the object.</summary>
    public string? Name { get; set; }

    /// <summary>Identity of the object.</summary>
    public string? Uid { get; set; }

    /// <summary>API group and version of the object.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>Version of the object that was meant.</summary>
    public string? ResourceVersion { get; set; }

    /// <summary>A part of the object, such as <c>spec.containers{web}</c>.</summary>
    public string? FieldPath { get; set; }
}
