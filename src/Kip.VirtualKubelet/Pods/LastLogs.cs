using Kip.Agents;
using Kip.Cells;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Pods;

/// <summary>
/// The ends of the logs of pods that have ended, whose cells are gone: <c>kubectl logs</c> shows them until the pod is deleted. Kept in
/// memory, so a restart of the host loses them; of too many the oldest go first.
/// </summary>
internal sealed class LastLogs
{
    private const int LinesOfAContainer = 1000;
    private const int BytesOfAContainer = 64 << 10;
    private const long BytesInAll = 64 << 20;

    private readonly Lock _lock = new();
    private readonly LinkedList<Kept> _oldestFirst = [];
    private readonly Dictionary<string, LinkedListNode<Kept>> _byPod = new(StringComparer.Ordinal);
    private long _bytes;

    /// <summary>Reads what is to be kept of a pod that has just ended.</summary>
    public async Task KeepAsync(Cell cell, CancellationToken cancellationToken)
    {
        var containers = new Dictionary<string, List<LogEntry>>(StringComparer.Ordinal);
        foreach (var name in Ended(cell.Status))
        {
            var entries = new List<LogEntry>();
            try
            {
                await foreach (var entry in cell.ReadLogsAsync(new LogQuery { Container = name, TailLines = LinesOfAContainer }, cancellationToken).ConfigureAwait(false))
                {
                    entries.Add(entry with { Data = entry.Data.ToArray() });
                }
            }
            catch (AgentException)
            {
                // The cell went before it was asked: then there is less to show, or nothing.
            }

            containers[name] = Shorten(entries);
        }

        Add(cell.Pod.Uid, containers);
    }

    /// <summary>The log of a container whose pod has ended, as the query wants it; null when nothing is kept of the pod.</summary>
    /// <exception cref="AgentException">The pod's logs are kept, and there is none of this container.</exception>
    public IAsyncEnumerable<LogEntry>? Find(string podUid, LogQuery query)
    {
        List<LogEntry> entries;
        lock (_lock)
        {
            if (!_byPod.TryGetValue(podUid, out var node))
            {
                return null;
            }

            if (query.Previous || !node.Value.Containers.TryGetValue(query.Container, out entries!))
            {
                throw new AgentException(
                    AgentErrorKind.NotFound,
                    query.Previous
                        ? $"the pod has ended, and of its logs only the last ones are kept: there is no previous one of container {query.Container}"
                        : $"the pod has ended, and no log of container {query.Container} is kept");
            }
        }

        var wanted = entries.Where(entry => !(entry.Time < query.Since)).ToList();
        if (query.TailLines is { } lines && lines < wanted.Count)
        {
            wanted.RemoveRange(0, wanted.Count - (int)Math.Max(0, lines));
        }

        return wanted.ToAsyncEnumerable();
    }

    public void Forget(string podUid)
    {
        lock (_lock)
        {
            if (_byPod.TryGetValue(podUid, out var node))
            {
                Remove(node);
            }
        }
    }

    private static IEnumerable<string> Ended(PodStatus? status) =>
        (status?.InitContainerStatuses ?? []).Concat(status?.ContainerStatuses ?? []).Where(static c => c.ContainerID is not null).Select(static c => c.Name);

    private static List<LogEntry> Shorten(List<LogEntry> entries)
    {
        var bytes = 0;
        var first = entries.Count;
        while (first > 0 && bytes + entries[first - 1].Data.Length <= BytesOfAContainer)
        {
            bytes += entries[--first].Data.Length;
        }

        return entries.GetRange(first, entries.Count - first);
    }

    private void Add(string uid, Dictionary<string, List<LogEntry>> containers)
    {
        const int overhead = 64; // of an entry beside its text
        var bytes = containers.Values.Sum(static entries => entries.Sum(static e => (long)e.Data.Length + overhead));
        lock (_lock)
        {
            if (_byPod.TryGetValue(uid, out var node))
            {
                Remove(node);
            }

            _byPod[uid] = _oldestFirst.AddLast(new Kept(uid, containers, bytes));
            _bytes += bytes;
            while (_bytes > BytesInAll && _oldestFirst.First is { } oldest)
            {
                Remove(oldest);
            }
        }
    }

    private void Remove(LinkedListNode<Kept> node)
    {
        _bytes -= node.Value.Bytes;
        _byPod.Remove(node.Value.Uid);
        _oldestFirst.Remove(node);
    }

    private sealed record Kept(string Uid, Dictionary<string, List<LogEntry>> Containers, long Bytes);
}
