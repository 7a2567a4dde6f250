using System.Runtime.CompilerServices;
using Kip.Agents;

namespace Kip.Testing;

/// <summary>A connection to a <see cref="ScriptedAgent"/>.</summary>
internal sealed class ScriptedAgentConnection(SimulatedCloud cloud, ScriptedAgent agent) : ICellAgent
{
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(10);

    private readonly CancellationToken _broken = agent.Connect();
    private readonly CancellationTokenSource _disposed = new();

    public string Instance { get; } = agent.Journal.Instance;

    public async Task ApplyPodAsync(PodAssignment assignment, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(assignment);
        await EnterAsync(cancellationToken);
        agent.ApplyPod(assignment, cloud.Options.Script(assignment.Pod), cloud);
    }

    public async Task StopPodAsync(string podUid, TimeSpan gracePeriod, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(gracePeriod, TimeSpan.Zero);
        await EnterAsync(cancellationToken);
        agent.GetRun(podUid).Stop(gracePeriod);
    }

    public async Task PullImageAsync(string image, IReadOnlyList<RegistryCredential> credentials, CancellationToken cancellationToken)
    {
        await EnterAsync(cancellationToken);
        agent.AddImage(image);
    }

    public async IAsyncEnumerable<AgentUpdate> WatchAsync(
        long afterEvent, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await EnterAsync(cancellationToken);
        var changed = agent.Journal.Changed;
        var (updates, position) = agent.Journal.ReadAll(afterEvent);
        while (true)
        {
            foreach (var update in updates)
            {
                await EnterAsync(cancellationToken);
                yield return update;
            }

            if (!await WaitAsync(changed, HeartbeatInterval, cancellationToken))
            {
                yield return new AgentUpdate(null, null);
            }

            changed = agent.Journal.Changed;
            (updates, position) = agent.Journal.ReadFrom(position);
        }
    }

    public async IAsyncEnumerable<LogEntry> ReadLogsAsync(
        string podUid, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        await EnterAsync(cancellationToken);
        var container = agent.GetRun(podUid).GetContainer(query.Container);
        var changed = container.Changed;
        var (entries, position, isComplete) = container.Log.Read(query);
        while (true)
        {
            foreach (var entry in entries)
            {
                await EnterAsync(cancellationToken);
                yield return entry;
            }

            if (!query.Follow || isComplete)
            {
                yield break;
            }

            await WaitAsync(changed, Timeout.InfiniteTimeSpan, cancellationToken);
            changed = container.Changed;
            (entries, position, isComplete) = container.Log.ReadFrom(position);
        }
    }

    public Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken) =>
        RefuseAsync<IContainerSession>(podUid, cancellationToken);

    public Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken) =>
        RefuseAsync<IContainerSession>(podUid, cancellationToken);

    public Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken) =>
        RefuseAsync<IPortConnection>(podUid, cancellationToken);

    public async Task<PodStatistics> GetStatisticsAsync(CancellationToken cancellationToken)
    {
        await EnterAsync(cancellationToken);
        return new PodStatistics { PodUid = agent.PodUid ?? "", Containers = [], Cell = new CellStatistics() };
    }

    public ValueTask DisposeAsync()
    {
        _disposed.Cancel();
        return ValueTask.CompletedTask;
    }

    /// <summary>Passes a call on to the agent: waits while the agent hangs, throws when the connection is broken.</summary>
    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        if (!agent.IsHanging)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_broken.IsCancellationRequested || _disposed.IsCancellationRequested || agent.Machine.Ended.IsCancellationRequested)
            {
                throw Broken();
            }

            return;
        }

        using var any = Link(cancellationToken);
        try
        {
            await agent.WaitWhileHangingAsync(any.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Broken();
        }
    }

    private async Task<T> RefuseAsync<T>(string podUid, CancellationToken cancellationToken)
    {
        await EnterAsync(cancellationToken);
        agent.GetRun(podUid);
        throw new AgentException(AgentErrorKind.Refused, "The containers of a simulated cell have no processes to talk to.");
    }

    private async Task<bool> WaitAsync(Task changed, TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var any = Link(cancellationToken);

        // Without an exception when the time is over: that is how most waits end where thousands of pods have nothing to tell.
        var wait = changed.WaitAsync(atMost, agent.Clock, any.Token);
        await wait.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await EnterAsync(cancellationToken);
        return wait.IsCompletedSuccessfully;
    }

    private CancellationTokenSource Link(CancellationToken cancellationToken) =>
        CancellationTokenSource.CreateLinkedTokenSource([cancellationToken, _broken, _disposed.Token, agent.Machine.Ended]);

    private AgentException Broken()
    {
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        return new AgentException(AgentErrorKind.Unavailable, $"The connection to the agent on {agent.Machine.Id} broke.");
    }
}
