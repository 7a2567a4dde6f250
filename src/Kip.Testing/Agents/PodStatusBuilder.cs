using Kip.Kubernetes.Objects;

namespace Kip.Testing;

/// <summary>Makes the status of a simulated pod by the kubelet's rules for phase and conditions. Guarded by the pod's lock.</summary>
internal sealed class PodStatusBuilder(string cellAddress, string podAddress, TimeProvider clock)
{
    private readonly DateTimeOffset _startTime = clock.GetUtcNow();
    private readonly Dictionary<string, PodCondition> _conditions = [];

    public bool HasSandbox { get; set; }

    public bool IsInitialized { get; set; }

    public PodStatus Build(IReadOnlyList<ContainerRun> initContainers, IReadOnlyList<ContainerRun> containers, bool isFinished)
    {
        var phase = GetPhase(initContainers, containers, isFinished);
        var ready = phase == PodPhase.Running && containers.All(container => container.State.Running is not null);
        return new PodStatus
        {
            Phase = phase,
            StartTime = _startTime,
            HostIP = cellAddress,
            HostIPs = [new HostIP { Ip = cellAddress }],
            PodIP = HasSandbox ? podAddress : null,
            PodIPs = HasSandbox ? [new PodIP { Ip = podAddress }] : null,
            InitContainerStatuses = initContainers.Count == 0 ? null : [.. initContainers.Select(container => container.ToStatus())],
            ContainerStatuses = [.. containers.Select(container => container.ToStatus())],
            Conditions =
            [
                Condition(PodConditionType.PodReadyToStartContainers, HasSandbox && !isFinished),
                Condition(PodConditionType.Initialized, IsInitialized),
                Condition(PodConditionType.ContainersReady, ready),
                Condition(PodConditionType.Ready, ready),
            ],
        };
    }

    private static string GetPhase(IReadOnlyList<ContainerRun> initContainers, IReadOnlyList<ContainerRun> containers, bool isFinished)
    {
        if (isFinished)
        {
            var succeeded = containers.All(container => container.Succeeded)
                && initContainers.All(container => container.Succeeded || ContainerRun.IsSidecar(container.Container));
            return succeeded ? PodPhase.Succeeded : PodPhase.Failed;
        }

        return containers.All(container => container.HasRun) ? PodPhase.Running : PodPhase.Pending;
    }

    private PodCondition Condition(string type, bool holds)
    {
        var status = holds ? "True" : "False";
        if (!_conditions.TryGetValue(type, out var condition) || condition.Status != status)
        {
            _conditions[type] = condition = new PodCondition { Type = type, Status = status, LastTransitionTime = clock.GetUtcNow() };
        }

        return condition;
    }
}
