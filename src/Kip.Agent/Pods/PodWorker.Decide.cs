using Kip.Agent.Runtime.Cri;
using Kip.Grpc;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>What to do next, given what the runtime shows.</summary>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan CauseInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan ErrorShown = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostTimeForLastWords = TimeSpan.FromSeconds(10);

    /// <summary>Takes over what the runtime shows into the containers' slots.</summary>
    private void Adopt(Observation observation)
    {
        var pod = _pod!;
        pod.Sandbox = observation.Sandbox;
        pod.PodIP = observation.PodIP.Length > 0 ? observation.PodIP : pod.PodIP;
        foreach (var slot in pod.Slots)
        {
            var newest = observation.Runs.Where(run => run.Status.Metadata.Name == slot.Name).MaxBy(run => run.Attempt);
            if (newest is null || newest.Attempt + 1 < slot.Record.Runs)
            {
                slot.Run = null;
                if (slot.Record.Runs > 0 && slot.Terminated is null && !slot.Starting)
                {
                    slot.End(Lost(slot));
                }

                continue;
            }

            if (newest.Attempt + 1 > slot.Record.Runs)
            {
                slot.NextRun(newest.Attempt);
            }

            slot.Run = newest;
            slot.Record.ImageId = newest.Status.ImageRef;
            slot.Record.ContainerId = $"containerd://{newest.Id}";
            slot.Record.SandboxId = newest.SandboxId;
            if (newest.CauseOpen && !slot.Stopped && slot.Terminated is null)
            {
                WakeAt(_time.GetUtcNow() + CauseInterval);
            }
            else if (newest.HasExited && slot.Terminated is null && LastWordsMayCome(slot, newest))
            {
                slot.Run = newest with { CauseOpen = true };
                WakeAt(_time.GetUtcNow() + CauseInterval);
            }
            else if (newest.HasExited)
            {
                Ended(slot, newest);
            }
        }

        foreach (var slot in pod.Slots)
        {
            FollowHealth(slot);
        }
    }

    private void Ended(ContainerSlot slot, ObservedRun run)
    {
        var started = Time(run.Status.StartedAt);
        var finished = Time(run.Status.FinishedAt);
        if (slot.Terminated is null)
        {
            slot.End(new ContainerStateTerminated
            {
                ExitCode = run.Status.ExitCode,
                Reason = run.Status.Reason.Length > 0 ? run.Status.Reason : run.Status.ExitCode == 0 ? "Completed" : "Error",
                Message = _lastWords.Of(_pod!.Pod, slot.Spec, run.Attempt, run.Status),
                StartedAt = started,
                FinishedAt = finished,
                ContainerID = slot.Record.ContainerId,
            });
            if (finished - started >= Backoff.ResetAfter)
            {
                slot.Record.BackoffMs = 0;
            }
        }

        var restart = finished.AddMilliseconds(slot.Record.BackoffMs);
        slot.NotBefore = restart > slot.NotBefore ? restart : slot.NotBefore;
    }

    /// <summary>Its log is to say why it failed, and the runtime still writes to it.</summary>
    private bool LastWordsMayCome(ContainerSlot slot, ObservedRun run) =>
        _time.GetUtcNow() - Time(run.Status.FinishedAt) < MostTimeForLastWords
        && _lastWords.MayCome(_pod!.Pod, slot.Spec, run.Attempt, run.Status);

    private void Decide(Observation observation)
    {
        var pod = _pod!;
        EnforceDeadline(pod);
        EnforceStorage(pod);
        if (pod.Record.Stop is null)
        {
            StopUnhealthy();
            var volumesReady = DecideVolumes();
            if (pod.Sandbox is null)
            {
                DecideSandbox(observation);
            }
            else if (volumesReady)
            {
                // First, so that they can look into init containers that fail.
                foreach (var slot in pod.Ephemerals)
                {
                    DecideContainer(slot);
                }

                if (DecideInits())
                {
                    foreach (var slot in pod.Apps)
                    {
                        DecideContainer(slot);
                        if (HoldsBackTheNext(slot))
                        {
                            break;
                        }
                    }
                }
            }

            if (pod.Apps.All(IsDone))
            {
                pod.BeginStop(_time.GetUtcNow() + pod.Grace);
            }
        }

        if (pod.Record.Stop is not null)
        {
            DecideStop(observation);
        }
        else
        {
            CleanUp(observation);
            RotateLogs();
        }
    }

    private void EnforceDeadline(PodContext pod)
    {
        // A pod that is through has kept its deadline, however late that is seen.
        if (pod.Pod.Spec.ActiveDeadlineSeconds is not { } seconds || pod.Record.Stop is not null || pod.Apps.All(IsDone))
        {
            return;
        }

        var deadline = pod.StartTime.AddSeconds(seconds);
        if (_time.GetUtcNow() >= deadline)
        {
            const string reason = "DeadlineExceeded";
            const string message = "Pod was active on the node longer than the specified deadline";
            pod.BeginStop(_time.GetUtcNow() + pod.Grace, reason, message);
            Save();
            _parts.Board.Event("Normal", reason, message);
        }
        else
        {
            WakeAt(deadline);
        }
    }

    private void DecideSandbox(Observation observation)
    {
        var pod = _pod!;
        if (pod.SandboxBusy)
        {
            return;
        }

        if (StopSandboxes(observation))
        {
            return;
        }

        if (pod.Slots.Any(slot => slot.Record.Runs > 0) && !pod.Apps.Any(pod.Restarts))
        {
            pod.BeginStop(_time.GetUtcNow() + pod.Grace);
        }
        else if (_time.GetUtcNow() < pod.SandboxNotBefore)
        {
            WakeAt(pod.SandboxNotBefore);
        }
        else
        {
            var attempt = observation.Sandboxes.Count == 0 ? 0 : observation.Sandboxes.Max(sandbox => sandbox.Metadata.Attempt) + 1;
            CreateSandbox(attempt);
        }
    }

    /// <returns>Whether the app containers may run.</returns>
    private bool DecideInits()
    {
        var pod = _pod!;
        var begun = pod.Apps.Any(slot => slot.Record.Runs > 0 && slot.Record.SandboxId == pod.Sandbox!.Id);
        foreach (var slot in pod.Inits)
        {
            if (slot.Kind == ContainerKind.Sidecar)
            {
                DecideContainer(slot);
                if (!begun && !(slot.IsUp && slot.Health.Started))
                {
                    return false;
                }
            }
            else if (!begun && !(slot.Succeeded && IsCurrent(slot)))
            {
                if (IsDone(slot) && IsCurrent(slot))
                {
                    pod.BeginStop(_time.GetUtcNow() + pod.Grace);
                }
                else
                {
                    DecideContainer(slot);
                }

                return false;
            }
        }

        return true;
    }

    private void DecideContainer(ContainerSlot slot)
    {
        var now = _time.GetUtcNow();
        if (slot.Starting)
        {
            return;
        }

        if (slot.IsRunning)
        {
            DecidePostStart(slot);
            slot.Waiting = slot.IsUp ? null : slot.Waiting;
            if (slot.Run!.Status.Annotations.TryGetValue(PodIdentity.HashAnnotation, out var hash)
                && hash != PodIdentity.Hash(slot.Spec) && slot.StoppingUntil is null)
            {
                slot.Replacing = true;
                StopContainer(slot, now + _pod!.Grace, $"Container {slot.Name} definition changed, will be restarted");
            }

            DecideResize(slot);

            return;
        }

        if (IsCurrent(slot) && slot.Run is { HasExited: false } created)
        {
            // An agent before this one, or a failed start, left it at that.
            if (now >= slot.ResumeAt)
            {
                Start(slot, created.Id);
            }
            else
            {
                WakeAt(slot.ResumeAt);
            }

            return;
        }

        if (IsDone(slot) && !slot.Replacing && (IsCurrent(slot) || !slot.IsInit))
        {
            slot.Waiting = null;
            return;
        }

        if (now < slot.NotBefore && !slot.Replacing)
        {
            ShowBackoff(slot, now);
            WakeAt(slot.NotBefore);
            return;
        }

        Start(slot, null);
    }

    private void ShowBackoff(ContainerSlot slot, DateTimeOffset now)
    {
        if (slot.FailedAt is { } failed)
        {
            if (slot.Waiting?.Reason != WaitingReason.ErrImagePull)
            {
                return;
            }

            if (now < failed + ErrorShown)
            {
                WakeAt(failed + ErrorShown);
                return;
            }

            var message = $"Back-off pulling image \"{slot.Spec.Image}\"";
            _parts.Board.Event("Normal", "BackOff", message, slot.Name);
            _parts.Board.Event("Warning", "Failed", $"Error: {WaitingReason.ImagePullBackOff}", slot.Name);
            slot.Waiting = new ContainerStateWaiting
            {
                Reason = WaitingReason.ImagePullBackOff, Message = $"{message}: {slot.Waiting.Message}",
            };
        }
        else if (slot.Waiting?.Reason != WaitingReason.CrashLoopBackOff)
        {
            var display = PodIdentity.Display(_pod!.Pod);
            var delay = TimeSpan.FromMilliseconds(slot.Record.BackoffMs);
            _parts.Board.Event(
                "Warning", "BackOff", $"Back-off restarting failed container {slot.Name} in pod {display}", slot.Name);
            slot.Waiting = new ContainerStateWaiting
            {
                Reason = WaitingReason.CrashLoopBackOff,
                Message = $"back-off {(delay.TotalMinutes >= 1 ? $"{(int)delay.TotalMinutes}m" : "")}{delay.Seconds}s "
                    + $"restarting failed container={slot.Name} pod={display}",
            };
        }
    }

    private void DecideStop(Observation observation)
    {
        var pod = _pod!;
        var deadline = pod.StopDeadline!.Value;
        foreach (var slot in pod.Inits.Where(slot => slot.Kind == ContainerKind.Sidecar))
        {
            // They hear of the end with the others, and are stopped when it is their turn.
            BeginPreStop(slot, deadline);
        }

        foreach (var slot in pod.Slots.Where(slot => slot.Kind != ContainerKind.Sidecar && slot.IsRunning))
        {
            StopContainer(slot, deadline, $"Stopping container {slot.Name}");
        }

        if (pod.SandboxBusy || pod.Slots.Any(slot => slot.Starting || (slot.Kind != ContainerKind.Sidecar && slot.IsRunning)))
        {
            return;
        }

        if (pod.Inits.LastOrDefault(slot => slot.Kind == ContainerKind.Sidecar && slot.IsRunning) is { } sidecar)
        {
            StopContainer(sidecar, deadline, $"Stopping container {sidecar.Name}");
            return;
        }

        if (!StopSandboxes(observation) && !TearDownVolumes())
        {
            GiveBackHugePages();
            pod.Record.Ended = true;
            Save();
            HasEnded(pod.Uid);
        }
    }

    /// <summary>It has ended, and will not be started again.</summary>
    private bool IsDone(ContainerSlot slot) =>
        slot.Terminated is not null && !slot.IsRunning && !slot.Starting && !slot.Replacing && !_pod!.Restarts(slot);

    /// <summary>Its newest run belongs to the sandbox that is up.</summary>
    private bool IsCurrent(ContainerSlot slot) => _pod!.Sandbox is { } sandbox && slot.Record.SandboxId == sandbox.Id;

    private ContainerStateTerminated Lost(ContainerSlot slot) => new()
    {
        ExitCode = 137,
        Reason = "ContainerStatusUnknown",
        Message = "The container could not be located in the runtime",
        FinishedAt = _time.GetUtcNow(),
        ContainerID = slot.Record.ContainerId,
    };

    private static DateTimeOffset Time(long nanoseconds) => DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100);
}
