namespace Kip.Kubernetes.Objects;

/// <summary>Values of <see cref="PodSpec.RestartPolicy"/>.</summary>
public static class RestartPolicy
{
    /// <summary>Ended containers start again.</summary>
    public const string Always = "Always";

    /// <summary>Containers that ended with an exit code other than 0 start again.</summary>
    public const string OnFailure = "OnFailure";

    /// <summary>Ended containers stay ended.</summary>
    public const string Never = "Never";
}

/// <summary>Values of <see cref="Container.ImagePullPolicy"/>.</summary>
public static class ImagePullPolicy
{
    /// <summary>The image is looked up in its registry at every start.</summary>
    public const string Always = "Always";

    /// <summary>The image is pulled when it is not there.</summary>
    public const string IfNotPresent = "IfNotPresent";

    /// <summary>The image must be there.</summary>
    public const string Never = "Never";
}

/// <summary>Values of <see cref="PodStatus.Phase"/>.</summary>
public static class PodPhase
{
    /// <summary>Accepted, but not every container has run yet.</summary>
    public const string Pending = "Pending";

    /// <summary>At least one container runs, starts or restarts.</summary>
    public const string Running = "Running";

    /// <summary>All containers ended with exit code 0 and none starts again.</summary>
    public const string Succeeded = "Succeeded";

    /// <summary>All containers ended, at least one in failure, and none starts again.</summary>
    public const string Failed = "Failed";

    /// <summary>The pod's state cannot be learnt.</summary>
    public const string Unknown = "Unknown";

    /// <summary>Whether a pod of this phase has ended, well or badly: no container of it will run again.</summary>
    public static bool IsFinal(string? phase) => phase is Succeeded or Failed;
}

/// <summary>Values of <see cref="PodCondition.Type"/>.</summary>
public static class PodConditionType
{
    /// <summary>The pod has a node.</summary>
    public const string PodScheduled = "PodScheduled";

    /// <summary>The pod's sandbox and its network are there.</summary>
    public const string PodReadyToStartContainers = "PodReadyToStartContainers";

    /// <summary>All init containers have ended well.</summary>
    public const string Initialized = "Initialized";

    /// <summary>All containers are ready.</summary>
    public const string ContainersReady = "ContainersReady";

    /// <summary>The pod is ready to serve.</summary>
    public const string Ready = "Ready";

    /// <summary>The pod is ended by what runs it, and not for its own fault: policies of jobs look for it.</summary>
    public const string DisruptionTarget = "DisruptionTarget";

    /// <summary>A change of resources is asked for and not granted; the reason says why. Absent otherwise.</summary>
    public const string PodResizePending = "PodResizePending";

    /// <summary>A change of resources is granted and not in force yet. Absent otherwise.</summary>
    public const string PodResizeInProgress = "PodResizeInProgress";
}
