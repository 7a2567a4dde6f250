namespace Kip.Testing;

/// <summary>What a pod does on its simulated cell. The default does everything at once and exits with 0.</summary>
public sealed record PodScript
{
    /// <summary>From the pod's arrival to its sandbox.</summary>
    public TimeSpan SandboxTime { get; init; }

    /// <summary>Makes the agent refuse the pod with this message; null to take it.</summary>
    public string? Refusal { get; init; }

    /// <summary>What each container does that <see cref="Containers"/> does not name.</summary>
    public ContainerScript Default { get; init; } = new();

    /// <summary>What single containers do, by name; init containers too.</summary>
    public IReadOnlyDictionary<string, ContainerScript> Containers { get; init; } = new Dictionary<string, ContainerScript>();

    /// <summary>A pod that runs until it is stopped.</summary>
    public static PodScript Forever { get; } = new() { Default = new ContainerScript { RunTime = null } };

    /// <summary>A pod whose containers run for a while and then exit.</summary>
    /// <param name="runTime">How long.</param>
    /// <param name="exitCode">With what.</param>
    public static PodScript RunsFor(TimeSpan runTime, int exitCode = 0) =>
        new() { Default = new ContainerScript { RunTime = runTime, ExitCodes = [exitCode] } };
}

/// <summary>What one container does. Restarts follow the pod's restart policy and the kubelet's back-off (10 s, doubled up to 5 minutes).</summary>
public sealed record ContainerScript
{
    /// <summary>How long the pull of its image takes.</summary>
    public TimeSpan PullTime { get; init; }

    /// <summary>Makes the pull fail with this message, and the container wait with <c>ErrImagePull</c> until the pod is stopped.</summary>
    public string? PullError { get; init; }

    /// <summary>From created to started.</summary>
    public TimeSpan StartTime { get; init; }

    /// <summary>How long one run takes; null until it is stopped.</summary>
    public TimeSpan? RunTime { get; init; } = TimeSpan.Zero;

    /// <summary>Exit codes of its runs, one after the other; the last one stays; 0 when there is none.</summary>
    public IReadOnlyList<int> ExitCodes { get; init; } = [0];

    /// <summary>The reason given with exit codes other than 0, for example <c>OOMKilled</c>.</summary>
    public string FailureReason { get; init; } = "Error";

    /// <summary>From the stop signal to its exit; null when it ignores the signal and is killed after the grace period.</summary>
    public TimeSpan? StopTime { get; init; } = TimeSpan.Zero;

    /// <summary>Exit code when it ends by the stop signal. When it has to be killed the code is 137.</summary>
    public int StopExitCode { get; init; } = 143;

    /// <summary>Lines each run writes to standard output, spread evenly over <see cref="RunTime"/>; all at the start when that is null.</summary>
    public IReadOnlyList<string> LogLines { get; init; } = [];
}
