using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Queues;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Pods;

/// <summary>
/// Makes cells of the pods that are bound to the node, and tells the API server how they fare. Level-triggered: each round looks at the
/// pod as it is now and at its cell as it is now, whatever came before.
/// </summary>
internal sealed partial class PodController : IAsyncDisposable
{
    // A pod whose cell answers sooner goes from Pending to Running in one call.
    private static readonly TimeSpan QuietStart = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DefaultGrace = TimeSpan.FromSeconds(30);

    private readonly IKubernetesClient _client;
    private readonly Informer<Pod> _pods;
    private readonly WorkQueue<ObjectKey> _queue;
    private readonly CellManager _cells;
    private readonly IPodResolver _resolver;
    private readonly PodStatusWriter _statuses;
    private readonly PodEvents _events;
    private readonly LastLogs _lastLogs;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _lifetime = new();

    // By name, because a name has one worker at a time; a name has had more than one pod only while the earlier ones end.
    private readonly ConcurrentDictionary<ObjectKey, List<TrackedPod>> _tracked = new();

    // Cells that were found while this runs, until the worker of the name sees them.
    private readonly ConcurrentDictionary<ObjectKey, Cell> _takenUp = new();

    public PodController(
        IKubernetesClient client,
        Informer<Pod> pods,
        CellManager cells,
        IPodResolver resolver,
        PodStatusWriter statuses,
        PodEvents events,
        LastLogs lastLogs,
        TimeProvider time,
        ILogger logger)
    {
        (_client, _pods, _cells, _resolver, _statuses, _events, _lastLogs, _time, _logger) =
            (client, pods, cells, resolver, statuses, events, lastLogs, time, logger);
        _queue = new WorkQueue<ObjectKey>(new WorkQueueOptions { IsExpected = static e => e is RetryException }, time, Random.Shared, logger);
    }

    /// <summary>Until when the host before this one told what happened on the cells that are taken up; null when there was none.</summary>
    public DateTimeOffset? ToldUntil { get; set; }

    /// <summary>Runs until it is cancelled; the cells go on.</summary>
    public async Task RunAsync(int workers, CancellationToken cancellationToken)
    {
        _pods.Subscribe(change => _queue.Add(change.Key));
        _resolver.Changed += Enqueue;
        _cells.TakenUp += EnqueueTakenUp;
        try
        {
            // Nothing may be concluded from a pod's absence before all pods are known.
            await _pods.WaitForSyncAsync(cancellationToken).ConfigureAwait(false);
            foreach (var cell in _cells.Cells)
            {
                var pod = cell.Pod;
                TakeUp(new ObjectKey(pod.Namespace, pod.Name), cell);
            }

            foreach (var key in _tracked.Keys)
            {
                _queue.Add(key);
            }

            await _queue.RunAsync(workers, ReconcileAsync, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _resolver.Changed -= Enqueue;
            _cells.TakenUp -= EnqueueTakenUp;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _lifetime.CancelAsync().ConfigureAwait(false);
        foreach (var tracked in _tracked.Values.SelectMany(static list => list).ToList())
        {
            await tracked.Watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _lifetime.Dispose();
    }

    private void Enqueue(ObjectKey key) => _queue.Add(key);

    private void EnqueueTakenUp(Cell cell)
    {
        var key = new ObjectKey(cell.Pod.Namespace, cell.Pod.Name);
        _takenUp[key] = cell;
        _queue.Add(key);
    }

    /// <summary>Brings one pod nearer to what is wanted of it; what it returns is when to come back.</summary>
    private async ValueTask<TimeSpan?> ReconcileAsync(WorkItem<ObjectKey> item, CancellationToken cancellationToken)
    {
        var key = item.Key;
        if (_takenUp.TryRemove(key, out var late))
        {
            TakeUp(key, late);
        }

        var pod = _pods.Get(key);
        var known = _tracked.GetOrAdd(key, static _ => []);
        foreach (var left in known.Where(t => t.Reference.Uid != pod?.Metadata.Uid).ToList())
        {
            await EndDeletedAsync(key, left, cancellationToken).ConfigureAwait(false);
        }

        if (pod is null)
        {
            if (known.Count == 0)
            {
                _tracked.TryRemove(key, out _);
                _resolver.Forget(key);
            }

            return null;
        }

        var tracked = known.Find(t => t.Reference.Uid == pod.Metadata.Uid);
        if (tracked is null)
        {
            tracked = new TrackedPod(new PodReference(key.Namespace, key.Name, pod.Metadata.Uid!));
            known.Add(tracked);
        }

        tracked.Pod = pod;
        if (tracked.CellIsGone)
        {
            var unused = tracked.LoseCell();
            if (unused && pod.Metadata.DeletionTimestamp is null)
            {
                return tracked.NextStart();
            }
        }

        if (pod.Metadata.DeletionTimestamp is not null)
        {
            await EndGracefullyAsync(key, tracked, pod, cancellationToken).ConfigureAwait(false);
        }
        else if (PodPhase.IsFinal(pod.Status?.Phase))
        {
            await StopAsync(tracked, null, cancellationToken).ConfigureAwait(false);
        }
        else if (tracked.HasEnded)
        {
            // It was told how; the cache may not show it yet.
        }
        else if (tracked.Cell is null)
        {
            await StartAsync(key, tracked, pod, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await UpdateAsync(tracked, pod, cancellationToken).ConfigureAwait(false);
        }

        return null;
    }

    // ---- start and update

    private async Task StartAsync(ObjectKey key, TrackedPod tracked, Pod pod, CancellationToken cancellationToken)
    {
        if (HasRun(pod.Status))
        {
            // A record goes only after the API server was told how its pod ended: what it says now counts, not what the cache shows.
            if (await _client.FindPodAsync(key, tracked.Reference.Uid, cancellationToken).ConfigureAwait(false) is not { } now
                || PodPhase.IsFinal(now.Status?.Phase))
            {
                tracked.HasEnded = true;
                return;
            }

            // It ran on a cell of which there is no record. To run it again might run it twice.
            const string reason = "CellLost";
            const string message = "the pod's cell is gone and nothing is known of how it ended";
            _events.Warning(tracked.Reference, reason, message);
            _statuses.Set(tracked.Reference, pod.Status!.AsFailed(reason, message));
            tracked.HasEnded = true;
            return;
        }

        Cell cell;
        try
        {
            var version = PodVersion.Of(pod);
            var assignment = await _resolver.ResolveAsync(pod, cancellationToken).ConfigureAwait(false);
            cell = await _cells.RunPodAsync(assignment, cancellationToken).ConfigureAwait(false);
            tracked.Given = version;
        }
        catch (Exception e) when (ExplainRetry(e) is var (reason, message))
        {
            _events.Warning(tracked.Reference, reason, $"{message}; tried again until it works");
            _statuses.Set(tracked.Reference, PodStatuses.Pending(pod, reason, message));
            throw new RetryException(message, e);
        }

        TakeUp(key, cell);
    }

    private async Task UpdateAsync(TrackedPod tracked, Pod pod, CancellationToken cancellationToken)
    {
        if (!PodReadiness.IsTold(pod))
        {
            _statuses.SetAgain(tracked.Reference.Uid);
        }

        var version = PodVersion.Of(pod);
        if (tracked.Given == version && !_resolver.IsStale(pod))
        {
            return;
        }

        try
        {
            var assignment = await _resolver.ResolveAsync(pod, cancellationToken).ConfigureAwait(false);
            await _cells.RunPodAsync(assignment, cancellationToken).ConfigureAwait(false);
            tracked.Given = version;
        }
        catch (AgentException e) when (e.Kind == AgentErrorKind.Refused)
        {
            _events.Warning(tracked.Reference, "FailedUpdate", $"the cell refuses the change: {e.Message}");
            tracked.Given = version; // the same again would be refused again
        }
        catch (Exception e) when (ExplainRetry(e) is var (reason, message))
        {
            _events.Warning(tracked.Reference, reason, $"{message}; the pod runs on as it was, tried again until it works");
            throw new RetryException(message, e);
        }
    }

    /// <summary>Why a pod has to wait, in one word and in a sentence; null for what nobody foresaw.</summary>
    private static (string Reason, string Message)? ExplainRetry(Exception exception) => exception switch
    {
        PodResolutionException e => (e.Reason, e.Message),
        CellException e => (e.Reason, e.Message),
        CellConflictException e => ("CellTaken", e.Message),
        DriverException e => ("CloudFailed", e.Message),
        AgentException e => ("CellUnreachable", e.Message),
        KubernetesApiException e => ("FailedResolve", $"the API server did not give what the pod needs: {e.Message}"),
        _ => null,
    };

    // ---- end

    private async Task EndGracefullyAsync(ObjectKey key, TrackedPod tracked, Pod pod, CancellationToken cancellationToken)
    {
        if (tracked is { Cell: not null, HasEnded: false })
        {
            var grace = pod.Metadata.DeletionGracePeriodSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : DefaultGrace;
            await StopAsync(tracked, grace, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (tracked.IsDeleted)
        {
            return;
        }

        // Its containers have ended, and that is what the pod's owner waits for; the cell may take its time to end.
        await _statuses.FlushAsync(tracked.Reference.Uid, cancellationToken).ConfigureAwait(false);
        try
        {
            await _client.DeleteAsync(
                Resources.Pods, key, new DeleteOptions { GracePeriod = TimeSpan.Zero, Uid = tracked.Reference.Uid }, cancellationToken).ConfigureAwait(false);
            tracked.IsDeleted = true;
        }
        catch (KubernetesApiException e) when (e.IsNotFound || e.IsConflict)
        {
            // It is gone, and perhaps another pod has its name.
        }

        tracked.HasEnded = true;
    }

    /// <summary>Ends what is left of a pod that the API server no longer has.</summary>
    private async Task EndDeletedAsync(ObjectKey key, TrackedPod left, CancellationToken cancellationToken)
    {
        // A cache that lacks a pod must not cost that pod its life.
        if (left is { Cell: not null, HasEnded: false } && await _client.FindPodAsync(key, left.Reference.Uid, cancellationToken).ConfigureAwait(false) is null)
        {
            LogDeleted(left.Reference);
            var seconds = left.Pod?.Metadata.DeletionGracePeriodSeconds ?? left.Pod?.Spec.TerminationGracePeriodSeconds;
            await StopAsync(left, seconds is { } s ? TimeSpan.FromSeconds(s) : DefaultGrace, cancellationToken).ConfigureAwait(false);
        }

        if (left.Cell is null || left.CellIsGone)
        {
            _statuses.Forget(left.Reference.Uid);
            _lastLogs.Forget(left.Reference.Uid);
            _tracked.GetOrAdd(key, static _ => []).Remove(left);
        }
    }

    private static async Task StopAsync(TrackedPod tracked, TimeSpan? grace, CancellationToken cancellationToken)
    {
        if (tracked is not { Cell: { } cell, HasEnded: false })
        {
            return;
        }

        try
        {
            await cell.StopPodAsync(grace, cancellationToken).ConfigureAwait(false);
        }
        catch (CellConflictException e)
        {
            throw new RetryException(e.Message, e); // whoever wrote the record is heard of by its cell
        }
    }

    // ---- what cells tell

    private void TakeUp(ObjectKey key, Cell cell)
    {
        var known = _tracked.GetOrAdd(key, static _ => []);
        var tracked = known.Find(t => t.Reference.Uid == cell.Pod.Uid);
        if (tracked is null)
        {
            tracked = new TrackedPod(cell.Pod);
            known.Add(tracked);
        }

        if (!ReferenceEquals(tracked.Cell, cell))
        {
            tracked.Cell = cell;
            tracked.Watching = WatchAsync(key, tracked, cell);
        }
    }

    private async Task WatchAsync(ObjectKey key, TrackedPod tracked, Cell cell)
    {
        await Task.Yield();
        try
        {
            using var late = _time.CreateTimer(_ => TellOfBoot(tracked, cell), null, QuietStart, Timeout.InfiniteTimeSpan);
            var following = FollowAsync(key, tracked, cell);
            var status = await cell.PodEnded.WaitAsync(_lifetime.Token).ConfigureAwait(false);
            var started = cell.Record.ClaimedAt is not null;
            var stopped = cell.Record.Reason == "Stopped";
            if (started)
            {
                _statuses.Set(tracked.Reference, status);
            }
            else if (!stopped)
            {
                _events.Warning(tracked.Reference, status.Reason ?? "CellFailed", $"{status.Message}; the pod had not started and is given another cell");
            }

            tracked.HasEnded = true;
            _queue.Add(key);
            await cell.Gone.WaitAsync(_lifetime.Token).ConfigureAwait(false);
            await following.ConfigureAwait(false);
            tracked.CellIsGone = true;
            _queue.Add(key);
        }
        catch (OperationCanceledException)
        {
            // The host ends, or another one has taken the cell over; the cell goes on.
        }
        catch (Exception e)
        {
            LogUnexpected(e, tracked.Reference); // nothing here throws by design; the pod must not be forgotten all the same
            _queue.AddAfter(key, QuietStart);
        }
    }

    private async Task FollowAsync(ObjectKey key, TrackedPod tracked, Cell cell)
    {
        // An agent tells a new host all it still has.
        var told = cell.Record.ClaimedAt is null ? null : ToldUntil;
        var (launched, waited) = (false, false);
        await foreach (var update in cell.WatchAsync(_lifetime.Token).ConfigureAwait(false))
        {
            switch (update.Kind)
            {
                // The last word is PodEnded's.
                case CellUpdateKind.PodStatus when update.Status is { } status && !PodPhase.IsFinal(status.Phase):
                    _statuses.Set(tracked.Reference, status);
                    break;
                case CellUpdateKind.PodEvent when update.Event is { } happened && !(happened.Time < told):
                    _events.FromCell(tracked.Reference, happened);
                    break;
                case CellUpdateKind.State when update.Cell is { State: CellState.Draining, Reason: CellRecord.SpotInterrupted or CellRecord.RebalanceRecommended }:
                    await ReplaceAsync(key, tracked, update.Cell).ConfigureAwait(false);
                    break;
                case CellUpdateKind.State when update.Cell.Pod is null:
                    waited = true;
                    break;
                case CellUpdateKind.State when waited:
                    waited = false;
                    _events.Given(tracked.Reference, update.Cell);
                    break;
                case CellUpdateKind.State when !launched && update.Cell is { State: CellState.Launching or CellState.Booting, InstanceId: not null }:
                    launched = true;
                    _events.Launched(tracked.Reference, update.Cell);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>
    /// Tells of a cell that the cloud takes back, or may. A pod that a controller looks after is deleted, with what time is left as its grace: the
    /// controller makes another one at once, instead of when this one has ended.
    /// </summary>
    private async Task ReplaceAsync(ObjectKey key, TrackedPod tracked, CellRecord cell)
    {
        var isReplaced = tracked.Pod is { Metadata.DeletionTimestamp: null } pod && (pod.Metadata.OwnerReferences ?? []).Exists(static o => o.Controller == true);
        _events.Warning(
            tracked.Reference, cell.Reason!, $"{cell.Message}; the pod is stopped{(isReplaced ? " and deleted, for its controller to replace it now" : "")}");
        if (!isReplaced)
        {
            return;
        }

        try
        {
            var left = cell.DrainDeadline - _time.GetUtcNow() ?? TimeSpan.Zero;
            await _client.DeleteAsync(
                Resources.Pods,
                key,
                new DeleteOptions { GracePeriod = left > TimeSpan.FromSeconds(1) ? left : TimeSpan.FromSeconds(1), Uid = tracked.Reference.Uid },
                _lifetime.Token).ConfigureAwait(false);
        }
        catch (KubernetesApiException e)
        {
            LogNotReplaced(tracked.Reference, e.Message); // it fails when it has ended, and is replaced then
        }
    }

    private void TellOfBoot(TrackedPod tracked, Cell cell)
    {
        // Of a cell that was taken up and does not answer yet, more may be known than this.
        if (cell is { Status: null, Record.ClaimedAt: null } && tracked is { Pod: { } pod, HasEnded: false })
        {
            _statuses.Set(tracked.Reference, PodStatuses.Pending(pod, "ContainerCreating", null));
        }
    }

    /// <summary>Whether a container of the pod has been started, as far as the API server was told.</summary>
    private static bool HasRun(PodStatus? status) =>
        status is { Phase: PodPhase.Running }
        || (status?.ContainerStatuses ?? []).Concat(status?.InitContainerStatuses ?? []).Any(static c => c.ContainerID is not null);

    [LoggerMessage(50, LogLevel.Information, "Pod {Pod} was deleted at the API server; its cell is ended")]
    private partial void LogDeleted(PodReference pod);

    [LoggerMessage(52, LogLevel.Warning, "Pod {Pod}, whose cell is taken back, could not be deleted ahead of its end: {Problem}")]
    private partial void LogNotReplaced(PodReference pod, string problem);

    [LoggerMessage(51, LogLevel.Error, "Pod {Pod}: unexpected failure")]
    private partial void LogUnexpected(Exception exception, PodReference pod);
}
