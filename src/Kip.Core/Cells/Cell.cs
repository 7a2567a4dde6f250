using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.Cells;

/// <summary>One cell with its pod, as its owner sees it. Made by <see cref="CellManager"/>; safe to use from many threads.</summary>
public sealed class Cell
{
    // A pod that crashes for months must not fill the memory with what happened to it.
    private const int KeptUpdates = 256;
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly List<CellUpdate> _history = [];
    private readonly List<ChannelWriter<CellUpdate>> _watchers = [];
    private readonly TaskCompletionSource<PodStatus> _podEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource<ICellAgent> _agent = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _unread;
    private int _readers;

    internal Cell(CellRecord record, PodAssignment? assignment, TimeProvider time)
    {
        Record = record;
        Assignment = assignment;
        _time = time;
    }

    /// <summary>The newest version of the record.</summary>
    public CellRecord Record { get; private set; }

    /// <summary>The pod that it is for.</summary>
    public PodReference Pod => Record.Pod ?? throw new InvalidOperationException($"{Record.Id} waits for a pod");

    /// <summary>The pod's newest status, or null before the agent has reported one.</summary>
    public PodStatus? Status { get; private set; }

    /// <summary>Completes when the pod has ended or is lost, with its last status. Never fails; it is cancelled when the manager is disposed of first.</summary>
    public Task<PodStatus> PodEnded => _podEnded.Task;

    /// <summary>Completes when the instance was observed to have ended and the record is deleted. Cancelled when the manager is disposed of first.</summary>
    public Task Gone => _gone.Task;

    /// <summary>What the agent is given, but for the pod's address; null while only the record is known.</summary>
    internal PodAssignment? Assignment { get; set; }

    /// <summary>What it pulls while it waits for a pod. Known to the process that launched it only.</summary>
    internal IReadOnlyList<string> Images { get; init; } = [];

    internal Func<TimeSpan?, CancellationToken, Task>? Stopper { get; set; }

    /// <summary>Ends the pod: gracefully when it runs, at once when it has not started. The cell is terminated after it.</summary>
    /// <param name="gracePeriod">How long it may take; null for what the pod says. A repeated call can only shorten it.</param>
    /// <param name="cancellationToken">Ends the call, not the stop.</param>
    public Task StopPodAsync(TimeSpan? gracePeriod, CancellationToken cancellationToken) =>
        Stopper is { } stop ? stop(gracePeriod, cancellationToken) : Task.CompletedTask;

    /// <summary>All that has happened to the cell since this process knows it, then all that happens. Ends when the cell is gone.</summary>
    public async IAsyncEnumerable<CellUpdate> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var channel = Channel.CreateUnbounded<CellUpdate>(new UnboundedChannelOptions { SingleReader = true });
        lock (_lock)
        {
            foreach (var update in _history)
            {
                channel.Writer.TryWrite(update);
            }

            if (_gone.Task.IsCompleted)
            {
                channel.Writer.Complete();
            }
            else
            {
                _watchers.Add(channel.Writer);
            }
        }

        try
        {
            await foreach (var update in channel.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                yield return update;
            }
        }
        finally
        {
            lock (_lock)
            {
                _watchers.Remove(channel.Writer);
            }
        }
    }

    /// <summary>
    /// A container's log. Waits for the cell if it is not there yet, and goes on after lost connections. The cell is kept until the rest
    /// was read, within <see cref="CellManagerOptions.LogDrainTimeout"/>.
    /// </summary>
    /// <exception cref="AgentException">There is no such container, or the log cannot be read.</exception>
    public async IAsyncEnumerable<LogEntry> ReadLogsAsync(LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        AddReader();
        try
        {
            var seen = DateTimeOffset.MinValue;
            var seenAtThatTime = 0;
            while (await AgentOrNullAsync(cancellationToken).ConfigureAwait(false) is { } agent)
            {
                // After a lost connection it is read again from the last line's time on; the lines of that time that were given out
                // before are left out.
                var resumed = seen == DateTimeOffset.MinValue ? query : query with { Since = seen, TailLines = null };
                var skip = seenAtThatTime;
                await using var entries = agent.ReadLogsAsync(Pod.Uid, resumed, cancellationToken).GetAsyncEnumerator(cancellationToken);
                while (true)
                {
                    try
                    {
                        if (!await entries.MoveNextAsync().ConfigureAwait(false))
                        {
                            yield break;
                        }
                    }
                    catch (Exception e) when (e is AgentException { Kind: AgentErrorKind.Unavailable } or ObjectDisposedException)
                    {
                        // The connection may be lost, or this stream alone: look again in a moment which agent there is.
                        await Task.Delay(RetryPause, _time, cancellationToken).ConfigureAwait(false);
                        break;
                    }

                    var entry = entries.Current;
                    if (entry.Time < seen || (entry.Time == seen && skip-- > 0))
                    {
                        continue;
                    }

                    seenAtThatTime = entry.Time == seen ? seenAtThatTime + 1 : 1;
                    seen = entry.Time;
                    yield return entry;
                }
            }
        }
        finally
        {
            RemoveReader();
        }
    }

    /// <summary>Runs a command in a container. Waits for the cell if it is not there yet.</summary>
    /// <exception cref="AgentException">The pod has ended, the container does not run, or the cell cannot be reached.</exception>
    public Task<IContainerSession> ExecAsync(ExecRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return AskAgentAsync(agent => agent.ExecAsync(Pod.Uid, request, cancellationToken), cancellationToken);
    }

    /// <summary>Joins the streams of a container's first process. Waits for the cell if it is not there yet.</summary>
    /// <inheritdoc cref="ExecAsync" path="/exception"/>
    public Task<IContainerSession> AttachAsync(AttachRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return AskAgentAsync(agent => agent.AttachAsync(Pod.Uid, request, cancellationToken), cancellationToken);
    }

    /// <summary>Connects to a server that listens in the pod. Waits for the cell if it is not there yet.</summary>
    /// <exception cref="AgentException">The pod has ended, nothing listens, or the cell cannot be reached.</exception>
    public Task<IPortConnection> ForwardPortAsync(int port, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        return AskAgentAsync(agent => agent.ForwardPortAsync(Pod.Uid, port, cancellationToken), cancellationToken);
    }

    /// <summary>What the pod and its cell use. Waits for the cell if it is not there yet.</summary>
    /// <exception cref="AgentException">The pod has ended, or the cell cannot be reached.</exception>
    public Task<PodStatistics> GetStatisticsAsync(CancellationToken cancellationToken) =>
        AskAgentAsync(agent => agent.GetStatisticsAsync(cancellationToken), cancellationToken);

    internal void Publish(CellUpdateKind kind, AgentEvent? happened = null)
    {
        lock (_lock)
        {
            Publish(new CellUpdate(_time.GetUtcNow(), kind, Record, null, happened));
        }
    }

    internal void SetRecord(CellRecord record)
    {
        lock (_lock)
        {
            var moved = record.State != Record.State || record.Version == 1;
            Record = record;
            if (moved)
            {
                Publish(new CellUpdate(_time.GetUtcNow(), CellUpdateKind.State, record));
            }
        }
    }

    internal void SetStatus(PodStatus status)
    {
        lock (_lock)
        {
            Status = status;
            _history.RemoveAll(static u => u.Kind == CellUpdateKind.PodStatus);
            Publish(new CellUpdate(_time.GetUtcNow(), CellUpdateKind.PodStatus, Record, status));
        }
    }

    internal void SetPodEnded(PodStatus status) => _podEnded.TrySetResult(status);

    internal void SetGone()
    {
        lock (_lock)
        {
            Record = Record with { State = CellState.Gone, StateSince = _time.GetUtcNow() };
            Publish(new CellUpdate(_time.GetUtcNow(), CellUpdateKind.State, Record));
            End();
            _gone.TrySetResult();
        }
    }

    /// <summary>This process no longer looks after the cell; the cell goes on.</summary>
    internal void Detach()
    {
        lock (_lock)
        {
            _podEnded.TrySetCanceled();
            _gone.TrySetCanceled();
            End();
        }
    }

    internal void SetAgent(ICellAgent agent)
    {
        lock (_lock)
        {
            if (!_agent.TrySetResult(agent))
            {
                _agent = new(TaskCreationOptions.RunContinuationsAsynchronously);
                _agent.SetResult(agent);
            }
        }
    }

    internal void LostAgent(ICellAgent agent)
    {
        lock (_lock)
        {
            if (_agent.Task.IsCompletedSuccessfully && ReferenceEquals(_agent.Task.Result, agent))
            {
                _agent = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    internal ICellAgent? ConnectedAgent
    {
        get
        {
            lock (_lock)
            {
                return _agent.Task.IsCompletedSuccessfully ? _agent.Task.Result : null;
            }
        }
    }

    internal async Task WaitForReadersAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        Task unread;
        lock (_lock)
        {
            if (_readers == 0)
            {
                return;
            }

            _unread ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            unread = _unread.Task;
        }

        try
        {
            await unread.WaitAsync(atMost, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // A reader that does not read must not keep a cell that costs money.
        }
    }

    private void End()
    {
        _agent.TrySetCanceled();
        foreach (var watcher in _watchers)
        {
            watcher.TryComplete();
        }

        _watchers.Clear();
    }

    private void Publish(CellUpdate update)
    {
        _history.Add(update);
        if (_history.Count > KeptUpdates)
        {
            _history.RemoveAt(_history.FindIndex(static u => u.Kind == CellUpdateKind.PodEvent) is >= 0 and var oldest ? oldest : 0);
        }

        foreach (var watcher in _watchers)
        {
            watcher.TryWrite(update);
        }
    }

    /// <summary>Asks once: what was begun on a cell that was lost must not begin again by itself.</summary>
    private async Task<T> AskAgentAsync<T>(Func<ICellAgent, Task<T>> ask, CancellationToken cancellationToken)
    {
        var agent = _podEnded.Task.IsCompleted ? null : await AgentOrNullAsync(cancellationToken).ConfigureAwait(false);
        if (agent is null)
        {
            throw new AgentException(AgentErrorKind.NotFound, $"pod {Pod} has ended");
        }

        try
        {
            return await ask(agent).ConfigureAwait(false);
        }
        catch (ObjectDisposedException e)
        {
            throw new AgentException(AgentErrorKind.Unavailable, $"the connection to {Record.Id} was lost", e);
        }
    }

    internal async Task<ICellAgent?> AgentOrNullAsync(CancellationToken cancellationToken)
    {
        Task<ICellAgent> agent;
        lock (_lock)
        {
            if (_gone.Task.IsCompleted)
            {
                return null;
            }

            agent = _agent.Task;
        }

        try
        {
            return await agent.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null; // the cell ended while it was waited for
        }
    }

    private void AddReader()
    {
        lock (_lock)
        {
            _readers++;
        }
    }

    private void RemoveReader()
    {
        lock (_lock)
        {
            if (--_readers == 0)
            {
                _unread?.TrySetResult();
            }
        }
    }
}
