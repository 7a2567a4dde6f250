using System.Globalization;
using Kip.Agents;
using Kip.Cells;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Pods;

/// <summary>What <c>kubectl describe pod</c> shows of what happens to a pod.</summary>
internal sealed class PodEvents(IEventRecorder recorder)
{
    // Told to timelines only; a kubelet keeps it to itself.
    private const string SandboxReady = "SandboxReady";

    /// <summary>Something that a pod's owner should look at.</summary>
    public void Warning(PodReference pod, string reason, string message) => recorder.Record(About(pod, null), "Warning", reason, message);

    /// <summary>The cloud has accepted the launch of the pod's cell.</summary>
    public void Launched(PodReference pod, CellRecord cell) =>
        recorder.Record(About(pod, null), "Normal", "CellLaunched", $"Launched {cell.Id} for the pod: {Describe(cell)}");

    /// <summary>The pod was given a cell that had waited for one.</summary>
    public void Given(PodReference pod, CellRecord cell) =>
        recorder.Record(About(pod, null), "Normal", "CellGiven", $"Gave the pod standby cell {cell.Id}: {Describe(cell)}");

    /// <summary>Something that happened on the cell, as a kubelet would tell it.</summary>
    public void FromCell(PodReference pod, AgentEvent happened)
    {
        if (happened.Reason != SandboxReady)
        {
            recorder.Record(About(pod, happened.Container), happened.Type, happened.Reason, happened.Message);
        }
    }

    private static string Describe(CellRecord cell)
    {
        var price = cell.PricePerHour is { } dollars ? string.Create(CultureInfo.InvariantCulture, $", ${dollars:0.######} an hour") : "";
        return $"{cell.InstanceType} in {cell.Zone}{price}";
    }

    private static ObjectReference About(PodReference pod, string? container) => new()
    {
        ApiVersion = "v1",
        Kind = "Pod",
        Namespace = pod.Namespace,
        Name = pod.Name,
        Uid = pod.Uid,
        FieldPath = container is null ? null : $"spec.containers{{{container}}}",
    };
}
