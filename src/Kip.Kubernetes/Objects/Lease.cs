using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Objects;

/// <summary>Who holds something, and until when unless it is renewed (coordination.k8s.io/v1 Lease).</summary>
public sealed class Lease : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>coordination.k8s.io/v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Lease</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>Who holds it.</summary>
    public LeaseSpec Spec { get; set => field = value ?? new(); } = new();
}

/// <summary>Who holds a lease.</summary>
public sealed class LeaseSpec : ApiObject
{
    /// <summary>The holder; nobody when empty.</summary>
    public string? HolderIdentity { get; set; }

    /// <summary>Seconds after <see cref="RenewTime"/> at which others may take it.</summary>
    public int? LeaseDurationSeconds { get; set; }

    /// <summary>When the holder took it.</summary>
    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset? AcquireTime { get; set; }

    /// <summary>When the holder last renewed it.</summary>
    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset? RenewTime { get; set; }

    /// <summary>How often it changed hands.</summary>
    public int? LeaseTransitions { get; set; }
}
