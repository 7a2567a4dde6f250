using Kip.Agent.Probes;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>Probes: each checks beside the loop as long as its container runs; what it finds comes back through the inbox.</summary>
internal sealed partial class PodWorker
{
    private const long LongestGraceSeconds = 1_000_000;
    private static readonly ProbeKind[] _allProbes = Enum.GetValues<ProbeKind>();

    /// <summary>Begins the probes that are due, and ends those of containers that do not run any more.</summary>
    private void FollowHealth(ContainerSlot slot)
    {
        if (slot.Kind is not (ContainerKind.App or ContainerKind.Sidecar))
        {
            return;
        }

        if (slot.Run is not { IsRunning: true } run)
        {
            slot.Health.Stop(_allProbes);
            return;
        }

        if (slot.Health.RunId != run.Id)
        {
            slot.Health.Stop(_allProbes);
            slot.Health = ContainerHealth.Of(run.Id, slot.Spec, ToldBefore(slot));
        }

        // A container that is to end is not asked whether it lives, only whether it is still ready.
        var ends = _pod!.Record.Stop is not null || slot.Stopped;
        if (ends)
        {
            slot.Health.Stop(ProbeKind.Startup, ProbeKind.Liveness);
        }

        foreach (var kind in _allProbes)
        {
            if (ProbeOf(slot.Spec, kind) is { } probe && slot.IsUp && slot.Health.IsDue(kind) && (!ends || kind == ProbeKind.Readiness))
            {
                BeginProbe(slot, run, kind, probe);
            }
        }
    }

    private void BeginProbe(ContainerSlot slot, ObservedRun run, ProbeKind kind, Probe probe)
    {
        var (pod, health, settings) = (_pod!, slot.Health, ProbeSettings.Of(probe));
        var stop = health.Begins(kind);
        var loop = new ProbeLoop(
            kind, settings, CheckOf(probe, slot.Spec, ActionTarget(slot, run.Id), settings.Timeout), Report, slot.Name, _parts.Board, _time);
        Begin(
            async token =>
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(token, stop);
                await loop.RunAsync(Time(run.Status.StartedAt), either.Token);
                return slot;
            },
            (_, _) => health.Ended(kind),
            countsAsChange: false);

        void Report(bool succeeded) => Post(() =>
        {
            if (!stop.IsCancellationRequested && !pod.Record.Ended)
            {
                health.Take(kind, succeeded, slot.Spec);
                _lookAgain = true;
            }
        });
    }

    private Func<CancellationToken, Task<ActionOutcome>> CheckOf(Probe probe, Container container, ActionTarget target, TimeSpan timeout)
    {
        if (probe.Exec is { } exec)
        {
            // The kubelet knows of the environment only what the pod says outright.
            var environment = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var variable in container.Env ?? [])
            {
                environment[variable.Name] = variable.Value ?? "";
            }

            List<string> command = [.. (exec.Command ?? []).Select(word => ContainerExpansion.Expand(word, environment))];
            return token => _parts.Actions.ExecAsync(target.ContainerId, command, timeout, token);
        }

        return probe switch
        {
            { HttpGet: { } http } => token => _parts.Actions.HttpGetAsync(http, target, ContainerActions.ProbeUserAgent, timeout, token),
            { TcpSocket: { } tcp } => token => _parts.Actions.TcpConnectAsync(tcp, target, timeout, token),
            { Grpc: { } grpc } => token => _parts.Actions.GrpcHealthAsync(grpc, target, timeout, token),
            _ => _ => Task.FromResult(ActionOutcome.Unknown("missing probe handler")),
        };
    }

    private ActionTarget ActionTarget(ContainerSlot slot, string runId)
    {
        var pod = _pod!;
        var address = pod.Pod.Spec.HostNetwork == true ? _parts.Cell.HostIP : pod.PodIP;
        return new ActionTarget(runId, address.Length > 0 ? address : "127.0.0.1", slot.Spec.Ports ?? []);
    }

    /// <summary>Ends containers that a probe has found unhealthy.</summary>
    private void StopUnhealthy()
    {
        var pod = _pod!;
        foreach (var slot in pod.Slots)
        {
            if (slot.Health.Failed is not { } kind || slot.Run is not { IsRunning: true } run || run.Id != slot.Health.RunId
                || slot.StoppingUntil is not null)
            {
                continue;
            }

            var grace = ProbeOf(slot.Spec, kind)?.TerminationGracePeriodSeconds is { } seconds
                ? TimeSpan.FromSeconds(Math.Min(seconds, LongestGraceSeconds))
                : pod.Grace;
            var what = $"failed {(kind == ProbeKind.Startup ? "startup" : "liveness")} probe";
            var why = slot.Kind == ContainerKind.Sidecar ? $"Init container {slot.Name} {what}"
                : RestartRules.PolicyOf(pod.Pod.Spec, slot.Spec) == "Never" ? $"Container {slot.Name} {what}"
                : $"Container {slot.Name} {what}, will be restarted";
            slot.Health.Condemned = true;
            StopContainer(slot, _time.GetUtcNow() + grace, why);
        }
    }

    /// <summary>What the status that an earlier agent left says of the present run; null when it says nothing of it.</summary>
    private ContainerStatus? ToldBefore(ContainerSlot slot) =>
        (_restored?.ContainerStatuses ?? []).Concat(_restored?.InitContainerStatuses ?? [])
            .FirstOrDefault(status => status.Name == slot.Name && status.ContainerID == slot.Record.ContainerId);

    private static Probe? ProbeOf(Container container, ProbeKind kind) => kind switch
    {
        ProbeKind.Startup => container.StartupProbe,
        ProbeKind.Liveness => container.LivenessProbe,
        _ => container.ReadinessProbe,
    };
}
