using Kip.Agent.Volumes;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Pods;

namespace Kip.Agent.Pods;

/// <summary>What a status is made of.</summary>
internal sealed record PodPicture
{
    public required Pod Pod { get; init; }

    public required IReadOnlyList<ContainerSlot> Slots { get; init; }

    public required string PodIP { get; init; }

    public required string HostIP { get; init; }

    public required DateTimeOffset StartTime { get; init; }

    public required bool SandboxReady { get; init; }

    /// <summary>All init containers have done their part.</summary>
    public required bool Initialized { get; init; }

    public required bool Ended { get; init; }

    /// <summary>Why the agent itself ended the pod; empty otherwise.</summary>
    public string Reason { get; init; } = "";

    public string Message { get; init; } = "";

    /// <summary>Why a change of resources is not carried out, when the cell is too small for it; null otherwise.</summary>
    public string? Infeasible { get; init; }

    /// <summary>Why nothing can be said of the pod at present; null when the runtime answers.</summary>
    public string? RuntimeTrouble { get; init; }
}

/// <summary>From what is known of the pod to the status that the API server is told, by the kubelet's rules.</summary>
internal static class PodStatusBuilder
{
    private const int UnknownExitCode = 137;
    private const int MostMessageCharacters = 12 * 1024;

    public static PodStatus Build(PodPicture picture, PodStatus? previous, DateTimeOffset now)
    {
        var spec = picture.Pod.Spec;
        var statuses = picture.Slots.Where(slot => slot.Kind == ContainerKind.App).Select(slot => Container(slot, picture)).ToList();
        var inits = picture.Slots.Where(slot => slot.IsInit).Select(slot => Container(slot, picture)).ToList();
        var ephemerals = picture.Slots.Where(slot => slot.Kind == ContainerKind.Ephemeral).Select(slot => Container(slot, picture)).ToList();
        var phase = Phase(picture, statuses);
        var status = new PodStatus
        {
            ObservedGeneration = picture.Pod.Metadata.Generation,
            Phase = phase,
            HostIP = NullIfEmpty(picture.HostIP),
            HostIPs = picture.HostIP.Length > 0 ? [new HostIP { Ip = picture.HostIP }] : null,
            StartTime = picture.StartTime,
            QosClass = Resources.QosClass(picture.Pod),
            ContainerStatuses = statuses,
            InitContainerStatuses = inits.Count > 0 ? inits : null,
            EphemeralContainerStatuses = ephemerals.Count > 0 ? ephemerals : null,
            Reason = NullIfEmpty(picture.Reason),
            Message = NullIfEmpty(picture.Message),
            Resize = picture.Infeasible is not null ? "Infeasible" : picture.Slots.Any(IsBeingResized) ? "InProgress" : null,
        };
        LimitMessages([.. statuses, .. inits, .. ephemerals]);
        // The kubelet keeps the last address while the pod ends.
        var podIP = spec.HostNetwork == true ? picture.HostIP : picture.PodIP.Length > 0 ? picture.PodIP : previous?.PodIP ?? "";
        if (podIP.Length > 0)
        {
            status.PodIP = podIP;
            status.PodIPs = [new PodIP { Ip = podIP }];
        }

        status.Conditions = Conditions(picture, phase, statuses, inits, previous, now);
        return status;
    }

    private static string Phase(PodPicture picture, List<ContainerStatus> statuses)
    {
        if (picture.Ended)
        {
            return picture.Reason.Length == 0 && statuses.TrueForAll(status => status.State?.Terminated is { ExitCode: 0 })
                ? "Succeeded"
                : "Failed";
        }

        var started = statuses.Exists(status => status.State?.Waiting is null || status.LastState?.Terminated is not null);
        return picture.Initialized && started ? "Running" : "Pending";
    }

    private static ContainerStatus Container(ContainerSlot slot, PodPicture picture)
    {
        var running = slot.IsUp;
        var status = new ContainerStatus
        {
            Name = slot.Name,
            Image = slot.Spec.Image ?? "",
            ImageID = slot.Record.ImageId,
            ContainerID = NullIfEmpty(slot.Record.ContainerId),
            RestartCount = slot.RestartCount,
            State = State(slot, picture),
            // A container is ready as its probes say while it runs; an init container, once it is through; an ephemeral one, never.
            Ready = slot.Kind switch
            {
                ContainerKind.Init => slot.Succeeded && !running,
                ContainerKind.Ephemeral => false,
                _ => running && !picture.Ended && slot.Health.Ready,
            },
            Started = slot.Kind switch
            {
                ContainerKind.Init => running,
                ContainerKind.Ephemeral => null,
                _ => running && !picture.Ended && slot.Health.Started,
            },
        };
        status.AllocatedResources = slot.Spec.Resources?.Requests;
        status.Resources = (slot.IsRunning ? slot.InForce : null) ?? slot.Spec.Resources;
        status.StopSignal = NullIfEmpty(slot.Spec.Lifecycle?.StopSignal ?? "");
        status.VolumeMounts = slot.Spec.VolumeMounts?.ConvertAll(mount => new VolumeMountStatus
        {
            Name = mount.Name,
            MountPath = mount.MountPath,
            ReadOnly = mount.ReadOnly,
            RecursiveReadOnly = mount.ReadOnly != true ? null : ReadOnlyTrees.IsWanted(mount) ? "Enabled" : "Disabled",
        });
        var waiting = status.State.Waiting is not null;
        var last = waiting ? slot.Terminated ?? slot.LastTerminated : slot.LastTerminated;
        status.LastState = last is null ? new ContainerState() : new ContainerState { Terminated = last };
        return status;
    }

    private static bool IsBeingResized(ContainerSlot slot) => slot.IsRunning && slot.IsToBeResized;

    /// <summary>All messages together have a limit, of which each container has its part.</summary>
    private static void LimitMessages(List<ContainerStatus> statuses)
    {
        var most = MostMessageCharacters / statuses.Count;
        foreach (var state in statuses.SelectMany(status => (ContainerState?[])[status.State, status.LastState]))
        {
            if (state?.Terminated is { Message.Length: var length } ended && length > most)
            {
                state.Terminated = new ContainerStateTerminated
                {
                    ExitCode = ended.ExitCode,
                    Signal = ended.Signal,
                    Reason = ended.Reason,
                    Message = ended.Message[..most],
                    StartedAt = ended.StartedAt,
                    FinishedAt = ended.FinishedAt,
                    ContainerID = ended.ContainerID,
                };
            }
        }
    }

    private static ContainerState State(ContainerSlot slot, PodPicture picture)
    {
        if (slot.IsUp)
        {
            return new ContainerState
            {
                Running = new ContainerStateRunning { StartedAt = FromNanoseconds(slot.Run!.Status.StartedAt) },
            };
        }

        if (picture.Ended && slot.Terminated is null && slot.Kind == ContainerKind.App && picture.Initialized)
        {
            return new ContainerState
            {
                Terminated = new ContainerStateTerminated
                {
                    ExitCode = UnknownExitCode,
                    Reason = "ContainerStatusUnknown",
                    Message = "The container could not be located when the pod was terminated",
                },
            };
        }

        // A reason to wait outlives the run it follows, unless nothing waits any more.
        if (slot.Waiting is not null && !picture.Ended)
        {
            return new ContainerState { Waiting = slot.Waiting };
        }

        if (slot.Terminated is not null)
        {
            return new ContainerState { Terminated = slot.Terminated };
        }

        var reason = slot.Kind != ContainerKind.Ephemeral && picture.Slots.Any(other => other.IsInit) && !picture.Initialized
            ? WaitingReason.PodInitializing
            : WaitingReason.ContainerCreating;
        return new ContainerState { Waiting = new ContainerStateWaiting { Reason = reason } };
    }

    private static List<PodCondition> Conditions(
        PodPicture picture,
        string phase,
        List<ContainerStatus> statuses,
        List<ContainerStatus> inits,
        PodStatus? previous,
        DateTimeOffset now)
    {
        var complete = phase == "Succeeded";
        var unready = statuses
            .Concat(inits.Where(IsSidecar))
            .Where(status => !status.Ready).Select(status => status.Name).ToList();
        var uninitialized = inits.Where(init => IsSidecar(init) ? init.Started != true : !init.Ready).Select(init => init.Name).ToList();
        var (reason, message) = unready.Count == 0 && !picture.Ended ? (null, null)
            : complete ? ("PodCompleted", null)
            : phase == "Failed" ? ("PodFailed", null)
            : ("ContainersNotReady", (string?)$"containers with unready status: [{string.Join(' ', unready)}]");
        // Who sets the conditions that gates name sets them at the API server: whoever tells it the status looks at them there.
        var ready = reason is null && ReadinessGates.Explain(picture.Pod.Spec, null) is { } closed
            ? Condition("Ready", false, ReadinessGates.NotReady, closed)
            : Condition("Ready", reason is null, reason, message);
        var containersReady = Condition("ContainersReady", reason is null, reason, message);
        if (picture.RuntimeTrouble is not null)
        {
            // What runs goes on running without the runtime, so the condition stands; it only cannot be checked.
            ready.Reason = containersReady.Reason = "RuntimeNotAnswering";
            ready.Message = containersReady.Message = picture.RuntimeTrouble;
        }

        List<PodCondition> conditions =
        [
            Condition("PodReadyToStartContainers", picture.SandboxReady && !picture.Ended, null, null),
            picture.Initialized
                ? Condition("Initialized", true, complete ? "PodCompleted" : null, null)
                : Condition(
                    "Initialized", false, "ContainersNotInitialized", $"containers with incomplete status: [{string.Join(' ', uninitialized)}]"),
            ready,
            containersReady,
            Condition("PodScheduled", true, null, null),
        ];
        if (picture.Infeasible is not null)
        {
            conditions.Add(Condition(PodConditionType.PodResizePending, true, "Infeasible", picture.Infeasible));
        }

        if (picture.Slots.FirstOrDefault(IsBeingResized) is { } resized)
        {
            conditions.Add(Condition(
                PodConditionType.PodResizeInProgress, true, resized.ResizeProblem is null ? null : "Error", resized.ResizeProblem));
        }

        foreach (var condition in conditions)
        {
            condition.ObservedGeneration = picture.Pod.Metadata.Generation;
            var before = previous?.Conditions?.Find(other => other.Type == condition.Type);
            condition.LastTransitionTime = before is not null && before.Status == condition.Status
                ? before.LastTransitionTime
                : now;
        }

        return conditions;

        bool IsSidecar(ContainerStatus init) => picture.Slots.First(slot => slot.Name == init.Name).Kind == ContainerKind.Sidecar;
    }

    private static PodCondition Condition(string type, bool status, string? reason, string? message) =>
        new() { Type = type, Status = status ? "True" : "False", Reason = reason, Message = message };

    private static DateTimeOffset? FromNanoseconds(long nanoseconds) =>
        nanoseconds > 0 ? DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100) : null;

    private static string? NullIfEmpty(string text) => text.Length > 0 ? text : null;
}
