using Kip.Agent.Runtime.Cri;

namespace Kip.Agent.Pods;

/// <summary>
/// In-place resize: a newer version of the pod gives a running container other resources. What the cell is too small for was refused when
/// the version came, and the old resources stand.
/// </summary>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan ResizeInterval = TimeSpan.FromSeconds(10);

    private void DecideResize(ContainerSlot slot)
    {
        var now = _time.GetUtcNow();
        if (slot.Resizing || slot.Stopped || !slot.IsToBeResized || slot.Run is not { IsRunning: true } run)
        {
            return;
        }

        if (Resize.NeedsRestart(slot.Spec, slot.InForce))
        {
            slot.Replacing = true;
            StopContainer(slot, now + _pod!.Grace, $"Container {slot.Name} resize requires restart");
            return;
        }

        if (now < slot.ResizeAt)
        {
            WakeAt(slot.ResizeAt);
            return;
        }

        var wanted = slot.Spec.Resources ?? new();
        var resources = Resources.ToUpdate(slot.Spec, slot.InForce, _pod!.Pod, _parts.Cell);
        var labels = PodIdentity.Labels(_pod.Pod);
        slot.Resizing = true;
        Begin(
            async token =>
            {
                await RequireRoomAsync(run.Id, labels, resources.MemoryLimitInBytes, token);
                await _parts.Runtime.UpdateContainerResourcesAsync(run.Id, resources, token);
                return wanted;
            },
            (_, error) =>
            {
                slot.Resizing = false;
                if (error is null)
                {
                    slot.ResizeProblem = null;
                    slot.InForce = wanted;
                    _parts.Board.Event("Normal", "ResizeCompleted", $"Resized container {slot.Name}", slot.Name);
                }
                else if (!IsTransient(error))
                {
                    slot.ResizeAt = _time.GetUtcNow() + ResizeInterval;
                    if (slot.ResizeProblem != Text(error))
                    {
                        slot.ResizeProblem = Text(error);
                        _parts.Board.Event("Warning", "ResizeError", slot.ResizeProblem, slot.Name);
                    }
                }
            });
    }

    /// <summary>A limit below what the container uses would have the kernel kill it, or refuse, depending on its cgroup version.</summary>
    private async Task RequireRoomAsync(
        string id, Dictionary<string, string> labels, long memoryLimit, CancellationToken cancellationToken)
    {
        if (memoryLimit <= 0)
        {
            return;
        }

        var statistics = await _parts.Runtime.ListContainerStatsAsync(labels, cancellationToken);
        // Caches can be given up; what is left of them cannot.
        var memory = statistics.FirstOrDefault(each => each.Attributes.Id == id)?.Memory;
        var used = (long)(memory?.WorkingSetBytes?.Value ?? memory?.UsageBytes?.Value ?? 0);
        if (used > memoryLimit)
        {
            throw new ContainerStartException(
                WaitingReason.CreateContainerConfigError, $"attempting to set memory limit ({memoryLimit}) below current usage ({used})");
        }
    }
}
