namespace Kip.Kubernetes.Objects;

/// <summary>A check of a container's health; exactly one handler is set.</summary>
public sealed class Probe : ApiObject
{
    /// <summary>A command that must exit 0.</summary>
    public ExecAction? Exec { get; set; }

    /// <summary>A request that must be answered with a status from 200 to 399.</summary>
    public HttpGetAction? HttpGet { get; set; }

    /// <summary>A port that must accept a connection.</summary>
    public TcpSocketAction? TcpSocket { get; set; }

    /// <summary>A gRPC health check that must report SERVING.</summary>
    public GrpcAction? Grpc { get; set; }

    /// <summary>Seconds from the container's start to the first check; 0 when absent.</summary>
    public int? InitialDelaySeconds { get; set; }

    /// <summary>Seconds one check may take; 1 when absent.</summary>
    public int? TimeoutSeconds { get; set; }

    /// <summary>Seconds between checks; 10 when absent.</summary>
    public int? PeriodSeconds { get; set; }

    /// <summary>Successes in a row that make it healthy; 1 when absent.</summary>
    public int? SuccessThreshold { get; set; }

    /// <summary>Failures in a row that make it unhealthy; 3 when absent.</summary>
    public int? FailureThreshold { get; set; }

    /// <summary>Seconds between stop signal and kill when this probe fails; the pod's when absent.</summary>
    public long? TerminationGracePeriodSeconds { get; set; }
}

/// <summary>A command run in the container, without a shell.</summary>
public sealed class ExecAction : ApiObject
{
    /// <summary>The command and its arguments.</summary>
    public List<string>? Command { get; set; }
}

/// <summary>A GET request to the container.</summary>
public sealed class HttpGetAction : ApiObject
{
    /// <summary>The path; <c>/</c> when absent.</summary>
    public string? Path { get; set; }

    /// <summary>The port, by number or by the name of a container port.</summary>
    public IntOrString Port { get; set; }

    /// <summary>The host to connect to; the pod's address when absent.</summary>
    public string? Host { get; set; }

    /// <summary>HTTP or HTTPS; the certificate is not checked.</summary>
    public string? Scheme { get; set; }

    /// <summary>Headers of the request.</summary>
    public List<HttpHeader>? HttpHeaders { get; set; }
}

/// <summary>One header of a request.</summary>
public sealed class HttpHeader : ApiObject
{
    /// <summary>The header's name.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>The header's value.</summary>
    public string Value { get; set => field = value ?? ""; } = "";
}

/// <summary>A connection to a port of the container.</summary>
public sealed class TcpSocketAction : ApiObject
{
    /// <summary>The port, by number or by the name of a container port.</summary>
    public IntOrString Port { get; set; }

    /// <summary>The host to connect to; the pod's address when absent.</summary>
    public string? Host { get; set; }
}

/// <summary>A gRPC health check.</summary>
public sealed class GrpcAction : ApiObject
{
    /// <summary>The port number.</summary>
    public int Port { get; set; }

    /// <summary>The service asked about; the whole server when absent.</summary>
    public string? Service { get; set; }
}
