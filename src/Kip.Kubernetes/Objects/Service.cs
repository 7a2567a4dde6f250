using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>One address for many pods (v1/Service).</summary>
public sealed class Service : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Service</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>What is wanted.</summary>
    public ServiceSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>What is observed; carried as it is.</summary>
    public JsonElement? Status { get; set; }
}

/// <summary>What is wanted of a service.</summary>
public sealed class ServiceSpec : ApiObject
{
    /// <summary>The ports.</summary>
    public List<ServicePort>? Ports { get; set; }

    /// <summary>Labels of the pods behind it.</summary>
    public Dictionary<string, string>? Selector { get; set; }

    /// <summary>Its address; <c>None</c> when it has none of its own, empty when not yet given.</summary>
    public string? ClusterIP { get; set; }

    /// <summary>Its addresses, the first one is <see cref="ClusterIP"/>.</summary>
    public List<string>? ClusterIPs { get; set; }

    /// <summary>ClusterIP, NodePort, LoadBalancer or ExternalName.</summary>
    public string? Type { get; set; }

    /// <summary>More addresses at which nodes take its traffic.</summary>
    public List<string>? ExternalIPs { get; set; }

    /// <summary>ClientIP or None.</summary>
    public string? SessionAffinity { get; set; }

    /// <summary>The name it is an alias for.</summary>
    public string? ExternalName { get; set; }

    /// <summary>Cluster or Local.</summary>
    public string? ExternalTrafficPolicy { get; set; }

    /// <summary>Cluster or Local.</summary>
    public string? InternalTrafficPolicy { get; set; }

    /// <summary>Whether pods that are not ready count.</summary>
    public bool? PublishNotReadyAddresses { get; set; }

    /// <summary>IPv4, IPv6 or both.</summary>
    public List<string>? IpFamilies { get; set; }
}

/// <summary>A port of a service.</summary>
public sealed class ServicePort : ApiObject
{
    /// <summary>Its name, unique in the service.</summary>
    public string? Name { get; set; }

    /// <summary>TCP, UDP or SCTP; TCP when absent.</summary>
    public string? Protocol { get; set; }

    /// <summary>What is spoken on it.</summary>
    public string? AppProtocol { get; set; }

    /// <summary>The port of the service.</summary>
    public int Port { get; set; }

    /// <summary>The port of the pods, by number or name.</summary>
    public IntOrString? TargetPort { get; set; }

    /// <summary>The port of each node.</summary>
    public int? NodePort { get; set; }
}
