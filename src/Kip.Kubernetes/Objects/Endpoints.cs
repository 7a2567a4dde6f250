namespace Kip.Kubernetes.Objects;

/// <summary>The addresses behind a service (v1/Endpoints).</summary>
public sealed class Endpoints : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Endpoints</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>Addresses that have the same ports.</summary>
    public List<EndpointSubset>? Subsets { get; set; }
}

/// <summary>Addresses that have the same ports.</summary>
public sealed class EndpointSubset : ApiObject
{
    /// <summary>Those that are ready.</summary>
    public List<EndpointAddress>? Addresses { get; set; }

    /// <summary>Those that are not.</summary>
    public List<EndpointAddress>? NotReadyAddresses { get; set; }

    /// <summary>The ports.</summary>
    public List<EndpointPort>? Ports { get; set; }
}

/// <summary>One address behind a service.</summary>
public sealed class EndpointAddress : ApiObject
{
    /// <summary>The address.</summary>
    public string Ip { get; set => field = value ?? ""; } = "";

    /// <summary>Its host name.</summary>
    public string? Hostname { get; set; }

    /// <summary>The node it is on.</summary>
    public string? NodeName { get; set; }

    /// <summary>The object that has it, such as a pod.</summary>
    public ObjectReference? TargetRef { get; set; }
}

/// <summary>A port behind a service.</summary>
public sealed class EndpointPort : ApiObject
{
    /// <summary>Name of the service's port.</summary>
    public string? Name { get; set; }

    /// <summary>The port of the pod.</summary>
    public int Port { get; set; }

    /// <summary>TCP, UDP or SCTP; TCP when absent.</summary>
    public string? Protocol { get; set; }

    /// <summary>What is spoken on it.</summary>
    public string? AppProtocol { get; set; }
}
