using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Server;

/// <summary>What the kubelet API needs of the node: its pods, and a way into them.</summary>
/// <remarks>
/// Methods that go to a cell throw <see cref="AgentException"/> when that fails, <see cref="AgentErrorKind.NotFound"/> when no cell has
/// the pod. Safe for concurrent use.
/// </remarks>
public interface IPodHost
{
    /// <summary>The pods bound to the node, each with its newest status. Not to be changed.</summary>
    IReadOnlyCollection<Pod> ListPods();

    /// <summary>One of them; null when there is none of that name. Not to be changed.</summary>
    Pod? FindPod(string @namespace, string name);

    /// <summary>A container's log, as <see cref="ICellAgent.ReadLogsAsync"/> gives it.</summary>
    IAsyncEnumerable<LogEntry> ReadLogsAsync(string podUid, LogQuery query, CancellationToken cancellationToken);

    /// <summary>Runs a command, as <see cref="ICellAgent.ExecAsync"/> does.</summary>
    Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken);

    /// <summary>Joins a container's streams, as <see cref="ICellAgent.AttachAsync"/> does.</summary>
    Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken);

    /// <summary>Connects to a port, as <see cref="ICellAgent.ForwardPortAsync"/> does.</summary>
    Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken);

    /// <summary>What a pod uses; null while it has no cell that could tell.</summary>
    Task<PodStatistics?> GetStatisticsAsync(string podUid, CancellationToken cancellationToken);
}
