using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.Cells;

/// <summary>Something that changed about a cell or its pod.</summary>
/// <param name="Time">When the controller learnt of it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Cell">The record as it was then.</param>
/// <param name="Status">The pod's status, with <see cref="CellUpdateKind.PodStatus"/>.</param>
/// <param name="Event">What happened on the cell, with <see cref="CellUpdateKind.PodEvent"/>.</param>
public sealed record CellUpdate(DateTimeOffset Time, CellUpdateKind Kind, CellRecord Cell, PodStatus? Status = null, AgentEvent? Event = null);

/// <summary>What changed.</summary>
public enum CellUpdateKind
{
    /// <summary>The cell came into another state.</summary>
    State = 0,

    /// <summary>The agent answered on its port for the first time.</summary>
    AgentAnswered,

    /// <summary>The agent proved who it is and has its certificate.</summary>
    AgentEnrolled,

    /// <summary>The pod's status is another.</summary>
    PodStatus,

    /// <summary>Something happened to the pod that a kubelet would record as an event.</summary>
    PodEvent,
}

/// <summary>A pod cannot have a cell, or no longer has one.</summary>
public sealed class CellException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="reason">One word, as in a pod status.</param>
    /// <param name="message">A sentence for the pod's owner.</param>
    /// <param name="innerException">What caused it, if anything did.</param>
    public CellException(string reason, string message, Exception? innerException = null)
        : base(message, innerException) => Reason = reason;

    /// <summary>One word, as in a pod status.</summary>
    public string Reason { get; }
}
