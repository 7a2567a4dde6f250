namespace Kip.Kubernetes.Objects;

/// <summary>What is done after a container's start and before its stop.</summary>
public sealed class Lifecycle : ApiObject
{
    /// <summary>Done right after the start; when it fails the container is killed.</summary>
    public LifecycleHandler? PostStart { get; set; }

    /// <summary>Done before the stop signal, within the grace period.</summary>
    public LifecycleHandler? PreStop { get; set; }

    /// <summary>The stop signal, such as SIGTERM; the image's when absent.</summary>
    public string? StopSignal { get; set; }
}

/// <summary>One action of a container's lifecycle; exactly one is set.</summary>
public sealed class LifecycleHandler : ApiObject
{
    /// <summary>A command run in the container.</summary>
    public ExecAction? Exec { get; set; }

    /// <summary>A request to the container.</summary>
    public HttpGetAction? HttpGet { get; set; }

    /// <summary>Kept for old manifests; never done.</summary>
    public TcpSocketAction? TcpSocket { get; set; }

    /// <summary>A wait.</summary>
    public SleepAction? Sleep { get; set; }
}

/// <summary>A wait.</summary>
public sealed class SleepAction : ApiObject
{
    /// <summary>Seconds to wait.</summary>
    public long Seconds { get; set; }
}
