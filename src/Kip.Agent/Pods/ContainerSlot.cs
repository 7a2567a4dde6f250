using Kip.Agent.Hooks;
using Kip.Agent.Probes;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.State;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

internal enum ContainerKind
{
    Init,
    /// <summary>An init container with restart policy Always: it runs beside the others until they have ended.</summary>
    Sidecar,
    App,
    /// <summary>Added to a running pod for debugging: it runs once, and the pod does not wait for it.</summary>
    Ephemeral,
}

/// <summary>One run of a container as the runtime shows it.</summary>
/// <param name="SandboxId">The sandbox it runs in.</param>
/// <param name="Status">As the runtime reports it.</param>
/// <param name="CauseOpen">It was killed a moment ago, and why may still come out.</param>
internal sealed record ObservedRun(string SandboxId, Runtime.Cri.ContainerStatus Status, bool CauseOpen = false)
{
    public string Id => Status.Id;

    public uint Attempt => Status.Metadata?.Attempt ?? 0;

    public bool IsRunning => Status.State == Runtime.Cri.ContainerState.ContainerRunning;

    public bool HasExited => Status.State is Runtime.Cri.ContainerState.ContainerExited or Runtime.Cri.ContainerState.ContainerUnknown;
}

/// <summary>One container of the pod: what it should be, how it is, and what is being done about it. Owned by the worker's loop.</summary>
internal sealed class ContainerSlot(Container spec, ContainerKind kind, ContainerRecord record)
{
    public Container Spec { get; set; } = spec;

    public ContainerKind Kind { get; } = kind;

    /// <summary>What survives a restart of the agent.</summary>
    public ContainerRecord Record { get; } = record;

    /// <summary>The newest run; null before the first and when the runtime lost it.</summary>
    public ObservedRun? Run { get; set; }

    /// <summary>A start is under way: nothing else may be decided about the container.</summary>
    public bool Starting { get; set; }

    /// <summary>When the stop that is under way will kill; null when none is.</summary>
    public DateTimeOffset? StoppingUntil { get; set; }

    /// <summary>The newest run was told to stop.</summary>
    public bool Stopped { get; set; }

    /// <summary>It is stopped to be started anew from another image, or with other resources.</summary>
    public bool Replacing { get; set; }

    /// <summary>What its probes say of the newest run that was seen running.</summary>
    public ContainerHealth Health { get; set; } = ContainerHealth.None();

    /// <summary>Why it waits, when that is not the plain order of things.</summary>
    public ContainerStateWaiting? Waiting { get; set; }

    /// <summary>No start before this time.</summary>
    public DateTimeOffset NotBefore { get; set; }

    /// <summary>When the last attempt to pull or create failed; null after a success.</summary>
    public DateTimeOffset? FailedAt { get; set; }

    /// <summary>A run that was created but could not be started is not tried again before this time.</summary>
    public DateTimeOffset ResumeAt { get; set; }

    /// <summary>The back-off after failed attempts to pull or create.</summary>
    public TimeSpan StartBackoff { get; set; }

    /// <summary>What its newest run has; null before the first one.</summary>
    public ResourceRequirements? InForce
    {
        get;
        set
        {
            field = value;
            Record.Resources = value is null
                ? Google.Protobuf.ByteString.Empty
                : Google.Protobuf.ByteString.CopyFrom(
                    KubernetesJson.SerializeToUtf8(value, KubernetesJsonContext.Default.ResourceRequirements));
        }
    } = record.Resources.IsEmpty ? null : KubernetesJson.Deserialize(record.Resources.Span, KubernetesJsonContext.Default.ResourceRequirements);

    /// <summary>Its newest run has other resources than it is to have.</summary>
    public bool IsToBeResized => Kind is ContainerKind.App or ContainerKind.Sidecar && InForce is not null && Resize.Differs(Spec.Resources, InForce);

    /// <summary>Its resources are being changed.</summary>
    public bool Resizing { get; set; }

    /// <summary>Why they could not be changed; null when nothing stood in the way.</summary>
    public string? ResizeProblem { get; set; }

    /// <summary>No attempt to change them before this time.</summary>
    public DateTimeOffset ResizeAt { get; set; }

    public string Name => Spec.Name;

    /// <summary>It is one of the pod's init containers.</summary>
    public bool IsInit => Kind is ContainerKind.Init or ContainerKind.Sidecar;

    public int RestartCount => Math.Max(0, (int)Record.Runs - 1);

    /// <summary>How the newest run ended; null while it runs, or when there is none.</summary>
    public ContainerStateTerminated? Terminated { get; private set; } = Read(record.Terminated);

    /// <summary>How the run before the newest ended.</summary>
    public ContainerStateTerminated? LastTerminated { get; private set; } = Read(record.LastTerminated);

    public bool IsRunning => Run is { } run && (run.IsRunning || (run.CauseOpen && Terminated is null));

    /// <summary>A probe has had the newest run ended: its exit code says nothing about it.</summary>
    public bool EndedByProbe => Health.Condemned && Run?.Id == Health.RunId;

    /// <summary>It runs, and its postStart hook, if there is one, is through: only then it counts as started.</summary>
    public bool IsUp => IsRunning && (Spec.Lifecycle?.PostStart is null || Record.PostStarted >= Record.Runs);

    /// <summary>How far the hooks of the newest run are.</summary>
    public RunHooks Hooks { get; private set; } = new();

    /// <summary>The newest run ended with exit code 0.</summary>
    public bool Succeeded => Terminated is { ExitCode: 0 };

    public void End(ContainerStateTerminated terminated)
    {
        Hooks.End();
        Terminated = terminated;
        Record.Terminated = Google.Protobuf.ByteString.CopyFrom(
            KubernetesJson.SerializeToUtf8(terminated, KubernetesJsonContext.Default.ContainerStateTerminated));
    }

    /// <summary>A new run exists: what the newest was becomes the last.</summary>
    public void NextRun(uint attempt)
    {
        if (Terminated is not null)
        {
            LastTerminated = Terminated;
            Record.LastTerminated = Record.Terminated;
        }

        Terminated = null;
        Stopped = false;
        Hooks.End();
        Hooks = new RunHooks();
        Record.Terminated = Google.Protobuf.ByteString.Empty;
        Record.Runs = attempt + 1;
    }

    private static ContainerStateTerminated? Read(Google.Protobuf.ByteString json) => json.IsEmpty
        ? null
        : KubernetesJson.Deserialize(json.Span, KubernetesJsonContext.Default.ContainerStateTerminated);
}
