using Kip.Agents;
using Kip.Cells;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Server;

namespace Kip.VirtualKubelet.Pods;

/// <summary>The node's pods as the kubelet API needs them: from the cache, and through their cells.</summary>
internal sealed class PodHost(Informer<Pod> pods, CellManager cells, LastLogs lastLogs) : IPodHost
{
    public IReadOnlyCollection<Pod> ListPods() => pods.List();

    public Pod? FindPod(string @namespace, string name) => pods.Get(new ObjectKey(@namespace, name));

    public IAsyncEnumerable<LogEntry> ReadLogsAsync(string podUid, LogQuery query, CancellationToken cancellationToken) =>
        lastLogs.Find(podUid, query) ?? CellOf(podUid).ReadLogsAsync(query, cancellationToken);

    public Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken) =>
        CellOf(podUid).ExecAsync(request, cancellationToken);

    public Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken) =>
        CellOf(podUid).AttachAsync(request, cancellationToken);

    public Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken) =>
        CellOf(podUid).ForwardPortAsync(port, cancellationToken);

    public async Task<PodStatistics?> GetStatisticsAsync(string podUid, CancellationToken cancellationToken) =>
        cells.Find(podUid) is { Record.State: CellState.Claimed or CellState.Draining } cell
            ? await cell.GetStatisticsAsync(cancellationToken).ConfigureAwait(false)
            : null;

    private Cell CellOf(string podUid) =>
        cells.Find(podUid) ?? throw new AgentException(AgentErrorKind.NotFound, "the pod has no cell: it has not started, or it has ended and its cell is gone");
}
