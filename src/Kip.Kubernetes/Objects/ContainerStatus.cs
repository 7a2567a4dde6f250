using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>What is observed of a container.</summary>
public sealed class ContainerStatus : ApiObject
{
    /// <summary>The container's name.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>What the container does now.</summary>
    public ContainerState? State { get; set; }

    /// <summary>What became of its previous run.</summary>
    public ContainerState? LastState { get; set; }

    /// <summary>Whether it passes its readiness probe.</summary>
    public bool Ready { get; set; }

    /// <summary>How often it was restarted.</summary>
    public int RestartCount { get; set; }

    /// <summary>The image it runs.</summary>
    public string Image { get; set => field = value ?? ""; } = "";

    /// <summary>The image's digest.</summary>
    public string ImageID { get; set => field = value ?? ""; } = "";

    /// <summary>The container's id, as <c>containerd://id</c>.</summary>
    public string? ContainerID { get; set; }

    /// <summary>Whether it passed its startup probe.</summary>
    public bool? Started { get; set; }

    /// <summary>Resources set aside for it.</summary>
    public Dictionary<string, Quantity>? AllocatedResources { get; set; }

    /// <summary>Resources in force.</summary>
    public ResourceRequirements? Resources { get; set; }

    /// <summary>How its volumes are mounted.</summary>
    public List<VolumeMountStatus>? VolumeMounts { get; set; }

    /// <summary>Who its first process ran as.</summary>
    public ContainerUser? User { get; set; }

    /// <summary>Health of its devices; carried as it is.</summary>
    public JsonElement? AllocatedResourcesStatus { get; set; }

    /// <summary>The signal that stops it.</summary>
    public string? StopSignal { get; set; }
}

/// <summary>What a container does; exactly one is set, none means waiting.</summary>
public sealed class ContainerState : ApiObject
{
    /// <summary>It is not running yet.</summary>
    public ContainerStateWaiting? Waiting { get; set; }

    /// <summary>It runs.</summary>
    public ContainerStateRunning? Running { get; set; }

    /// <summary>It has ended.</summary>
    public ContainerStateTerminated? Terminated { get; set; }
}

/// <summary>A container that does not run yet.</summary>
public sealed class ContainerStateWaiting : ApiObject
{
    /// <summary>Why, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>Why, for people.</summary>
    public string? Message { get; set; }
}

/// <summary>A container that runs.</summary>
public sealed class ContainerStateRunning : ApiObject
{
    /// <summary>When it started.</summary>
    public DateTimeOffset? StartedAt { get; set; }
}

/// <summary>A container that has ended.</summary>
public sealed class ContainerStateTerminated : ApiObject
{
    /// <summary>The exit code.</summary>
    public int ExitCode { get; set; }

    /// <summary>The signal that ended it.</summary>
    public int? Signal { get; set; }

    /// <summary>Why, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>Why, for people.</summary>
    public string? Message { get; set; }

    /// <summary>When it started.</summary>
    public DateTimeOffset? StartedAt { get; set; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>The container's id, as <c>containerd://id</c>.</summary>
    public string? ContainerID { get; set; }
}

/// <summary>How a volume is mounted.</summary>
public sealed class VolumeMountStatus : ApiObject
{
    /// <summary>The volume's name.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>The path in the container.</summary>
    public string MountPath { get; set => field = value ?? ""; } = "";

    /// <summary>Whether the mount is read-only.</summary>
    public bool? ReadOnly { get; set; }

    /// <summary>Disabled, IfPossible or Enabled.</summary>
    public string? RecursiveReadOnly { get; set; }
}

/// <summary>Who a container's first process ran as.</summary>
public sealed class ContainerUser : ApiObject
{
    /// <summary>The ids on Linux.</summary>
    public LinuxContainerUser? Linux { get; set; }
}

/// <summary>Ids of a container's first process.</summary>
public sealed class LinuxContainerUser : ApiObject
{
    /// <summary>The user id.</summary>
    public long Uid { get; set; }

    /// <summary>The group id.</summary>
    public long Gid { get; set; }

    /// <summary>Further group ids.</summary>
    public List<long>? SupplementalGroups { get; set; }
}
