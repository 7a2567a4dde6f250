using Kip.Agent.Runtime.Cri;
using Kip.Agent.State;
using Kip.Agent.Status;
using Kip.Agent.Volumes;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>The pod, its containers and how far it is. Owned by the worker's loop.</summary>
internal sealed class PodContext
{
    private const long DefaultGraceSeconds = 30;
    private readonly Cell _cell;
    private readonly List<ContainerSlot> _slots;

    public PodContext(PodRecord record, ApplyPodRequest request, Cell cell)
    {
        (Record, Request, _cell) = (record, request, cell);
        Pod = PodReader.Read(request);
        _slots =
        [
            .. (Pod.Spec.InitContainers ?? []).Select(container =>
                Slot(container, container.RestartPolicy == "Always" ? ContainerKind.Sidecar : ContainerKind.Init)),
            .. Pod.Spec.Containers.Select(container => Slot(container, ContainerKind.App)),
            .. (Pod.Spec.EphemeralContainers ?? []).Select(container => Slot(container, ContainerKind.Ephemeral)),
        ];
        Infeasible = Allocate();
        UnknownFields = Pods.UnknownFields.Find(Pod.Spec);
        LastStatus = record.Status.IsEmpty ? null : KubernetesJson.DeserializePodStatus(record.Status.Span);
    }

    public PodRecord Record { get; }

    public ApplyPodRequest Request { get; private set; }

    /// <summary>The pod as it is run here: of a change of resources that the cell is too small for it has the resources before.</summary>
    public Pod Pod { get; private set; }

    /// <summary>What the pod says that this version of Kip has never heard of.</summary>
    public IReadOnlyList<string> UnknownFields { get; private set; }

    /// <summary>Why the newest change of resources is not carried out, when the cell is too small for it; null otherwise.</summary>
    public string? Infeasible { get; private set; }

    /// <summary>Init containers first, ephemeral ones last, in the order of the pod.</summary>
    public IReadOnlyList<ContainerSlot> Slots => _slots;

    public PodStatus? LastStatus { get; set; }

    public PodSandbox? Sandbox { get; set; }

    public string PodIP { get; set; } = "";

    /// <summary>Whether the init containers have done their part.</summary>
    public bool Initialized => Apps.Any(slot => slot.Record.Runs > 0)
        || Inits.All(slot => slot.Kind == ContainerKind.Init ? slot.Succeeded : slot.IsUp && slot.Health.Started);

    /// <summary>A sandbox is being made or stopped.</summary>
    public bool SandboxBusy { get; set; }

    public DateTimeOffset SandboxNotBefore { get; set; }

    public TimeSpan SandboxBackoff { get; set; }

    /// <summary>Sandboxes that were told to stop and have obeyed.</summary>
    public HashSet<string> StoppedSandboxes { get; } = [];

    public VolumeProgress Volumes { get; } = new();

    public bool CleaningUp { get; set; }

    public DateTimeOffset RotateAt { get; set; }

    /// <summary>Cancelled when the pod is to end: whoever still pulls may give up.</summary>
    public CancellationTokenSource Pulls { get; } = new();

    public string Uid => PodIdentity.Uid(Pod);

    public TimeSpan Grace => TimeSpan.FromSeconds(Pod.Spec.TerminationGracePeriodSeconds ?? DefaultGraceSeconds);

    public DateTimeOffset StartTime => DateTimeOffset.FromUnixTimeMilliseconds(Record.AcceptedUnixMs);

    /// <summary>When everything still running is killed; null while the pod is not to end.</summary>
    public DateTimeOffset? StopDeadline =>
        Record.Stop is null ? null : DateTimeOffset.FromUnixTimeMilliseconds(Record.Stop.DeadlineUnixMs);

    public IEnumerable<ContainerSlot> Inits => Slots.Where(slot => slot.IsInit);

    public IEnumerable<ContainerSlot> Apps => Slots.Where(slot => slot.Kind == ContainerKind.App);

    public IEnumerable<ContainerSlot> Ephemerals => Slots.Where(slot => slot.Kind == ContainerKind.Ephemeral);

    /// <summary>Takes a newer version of the same pod.</summary>
    /// <exception cref="RpcException">InvalidArgument: it has other containers.</exception>
    public void Update(ApplyPodRequest request, Pod pod)
    {
        var containers = (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers).ToList();
        var lasting = Slots.Where(slot => slot.Kind != ContainerKind.Ephemeral);
        if (!containers.Select(container => container.Name).SequenceEqual(lasting.Select(slot => slot.Name)))
        {
            throw new RpcException(StatusCode.InvalidArgument, "the containers of a pod cannot change");
        }

        for (var i = 0; i < containers.Count; i++)
        {
            if (PodIdentity.Hash(containers[i]) != PodIdentity.Hash(Slots[i].Spec))
            {
                // What was wrong with the old image says nothing about the new one.
                Slots[i].NotBefore = default;
                Slots[i].StartBackoff = default;
            }

            if (Resize.Differs(containers[i].Resources, Slots[i].Spec.Resources))
            {
                Slots[i].ResizeProblem = null;
                Slots[i].ResizeAt = default;
            }

            Slots[i].Spec = containers[i];
        }

        foreach (var added in (pod.Spec.EphemeralContainers ?? []).Where(each => !Slots.Any(slot => slot.Name == each.Name)))
        {
            _slots.Add(Slot(added, ContainerKind.Ephemeral));
        }

        (Request, Pod) = (request, pod);
        Infeasible = Allocate();
        UnknownFields = Pods.UnknownFields.Find(Pod.Spec);
        Record.Apply = Google.Protobuf.ByteString.CopyFrom(Google.Protobuf.MessageExtensions.ToByteArray(request));
    }

    /// <summary>Says that the pod is to end; true when that is news. A deadline only ever moves forward in time.</summary>
    public bool BeginStop(DateTimeOffset deadline, string reason = "", string message = "")
    {
        if (StopDeadline <= deadline)
        {
            return false;
        }

        Record.Stop ??= new StopRecord { Reason = reason, Message = message };
        Record.Stop.DeadlineUnixMs = deadline.ToUnixTimeMilliseconds();
        Pulls.Cancel();
        return true;
    }

    public bool Knows(string id) => Sandbox?.Id == id || Slots.Any(slot => slot.Run?.Id == id);

    public bool IsRunning(string id) =>
        Sandbox?.Id == id || Slots.Any(slot => slot.Run is { IsRunning: true } run && run.Id == id);

    /// <summary>Whether the container will be started once more after the run that ended.</summary>
    public bool Restarts(ContainerSlot slot) => slot.Kind switch
    {
        _ when Record.Stop is not null => false,
        ContainerKind.Ephemeral => false,
        ContainerKind.Sidecar => true,
        ContainerKind.Init => !slot.Succeeded && RestartsAsWritten(slot),
        _ => RestartsAsWritten(slot),
    };

    public PodPicture Picture(string? runtimeTrouble) => new()
    {
        Pod = Pod,
        Slots = Slots,
        PodIP = PodIP,
        HostIP = _cell.HostIP,
        StartTime = StartTime,
        SandboxReady = Sandbox is not null,
        Initialized = Initialized,
        Ended = Record.Ended,
        Reason = Record.Ended ? Record.Stop?.Reason ?? "" : "",
        Message = Record.Ended ? Record.Stop?.Message ?? "" : "",
        RuntimeTrouble = runtimeTrouble,
        Infeasible = Infeasible,
    };

    public PodView View() => new(
        Uid,
        PodIdentity.LogDirectory(_cell.LogDirectory, Pod),
        Record.Ended ? null : Sandbox?.Id,
        [.. Slots.Select(slot => new ContainerView(
            slot.Name,
            (int)slot.Record.Runs,
            Record.Ended || (slot.Terminated is not null && !slot.IsRunning && !slot.Starting && !Restarts(slot)),
            slot.Run is { IsRunning: true } run ? run.Id : null))]);

    private bool RestartsAsWritten(ContainerSlot slot) =>
        RestartRules.Restarts(Pod.Spec, slot.Spec, slot.Terminated?.ExitCode, !slot.Succeeded || slot.EndedByProbe);

    /// <summary>Gives containers that have run their old resources back when the cell is too small for the new ones.</summary>
    private string? Allocate()
    {
        var changed = _slots.Where(slot => slot.IsToBeResized).ToList();
        if (changed.Count == 0 || Resize.Infeasible(Pod, _cell) is not { } problem)
        {
            return null;
        }

        changed.ForEach(slot => slot.Spec.Resources = slot.InForce);
        return problem;
    }

    private ContainerSlot Slot(Container container, ContainerKind kind)
    {
        if (!Record.Containers.TryGetValue(container.Name, out var record))
        {
            record = new ContainerRecord();
            Record.Containers[container.Name] = record;
        }

        return new ContainerSlot(container, kind, record);
    }
}
