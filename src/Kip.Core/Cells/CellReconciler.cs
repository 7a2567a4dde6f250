using Kip.Agents;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Sizing;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>
/// Takes one cell through its life. It acts on the durable state only, so it can be stopped at any point and begun again by another
/// process: each step is safe to repeat.
/// </summary>
internal sealed partial class CellReconciler : IDisposable
{
    private static readonly TimeSpan FirstDial = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan SlowestDial = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(35); // three heartbeats and a half
    private static readonly TimeSpan FirstContact = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StopSlack = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan DefaultGrace = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SlowestRetry = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan QuietQueue = TimeSpan.FromSeconds(5); // not worth telling the pod's owner

    private readonly Cell _cell;
    private readonly CellContext _context;
    private readonly ILogger _logger;
    private readonly Func<Candidate?> _nextCandidate;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _abandoned = new();
    private readonly CancellationTokenSource _overdue;
    private readonly long _takenUp;
    private volatile CancellationTokenSource? _connection; // cancelled for a new one
    private string? _agentInstance;
    private volatile bool _wasTaken; // by a pod that it was not made for
    private bool _wasAdvised;
    private long _lastEvent;
    private bool _launchSent; // the cloud may know the launch token: no other launch before it has refused this one
    private volatile IReadOnlyList<RegistryCredential> _logins = []; // the cloud's, that the agent pulls with
    private long _loginsDue = DateTimeOffset.MaxValue.UtcTicks; // when they grow old
    private string _loginProblem = "";
    private long _lastContact; // a clock that is set right must not make a cell lost

    /// <param name="cell">The cell.</param>
    /// <param name="context">What cells share.</param>
    /// <param name="nextCandidate">The best way to have the cell, of those that were not refused; null when there is none, or nobody knows.</param>
    public CellReconciler(Cell cell, CellContext context, Func<Candidate?> nextCandidate)
    {
        _cell = cell;
        _context = context;
        _logger = context.Logger;
        _nextCandidate = nextCandidate;
        _overdue = new CancellationTokenSource(Timeout.InfiniteTimeSpan, context.Time);
        _lastContact = _takenUp = context.Time.GetTimestamp();
        cell.Stopper = StopPodAsync;
    }

    private CellRecord Record => _cell.Record;

    private DateTimeOffset Now => _context.Time.GetUtcNow();

    public void Dispose()
    {
        _turn.Dispose();
        _abandoned.Dispose();
        _overdue.Dispose();
        _assigned.Dispose();
    }

    /// <summary>Runs until the cell is gone, or until <paramref name="lifetime"/> ends: then the cell goes on without this process.</summary>
    public async Task RunAsync(CancellationToken lifetime)
    {
        var pause = FirstRetry;
        CellConflictException? conflict = null;
        try
        {
            while (true)
            {
                try
                {
                    if (conflict is not null)
                    {
                        if (!await IsDeletedAsync(lifetime).ConfigureAwait(false))
                        {
                            LogTakenOver(Record.Id, conflict.Message);
                            _cell.Detach();
                            return;
                        }

                        EndDeleted();
                        conflict = null;
                    }

                    await ReachPodEndAsync(lifetime).ConfigureAwait(false);
                    await ReachGoneAsync(lifetime).ConfigureAwait(false);
                    return;
                }
                catch (CellConflictException e) when (!lifetime.IsCancellationRequested)
                {
                    conflict = e;
                }
                catch (Exception e) when (!lifetime.IsCancellationRequested)
                {
                    // Level-triggered: whatever went wrong, what is durable says where to go on. A cell is never forgotten.
                    LogUnexpected(e, Record.Id, pause);
                    await Task.Delay(pause, _context.Time, lifetime).ConfigureAwait(false);
                    pause = Min(pause * 2, SlowestRetry);
                }
            }
        }
        catch (Exception e) when (lifetime.IsCancellationRequested && e is OperationCanceledException or CellConflictException)
        {
            _cell.Detach();
        }
    }

    /// <summary>Whether somebody has deleted the record while the cell was there.</summary>
    private async Task<bool> IsDeletedAsync(CancellationToken cancellationToken)
    {
        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        return (await _context.Store.ListAsync(cancellationToken).ConfigureAwait(false)).All(r => r.Id != Record.Id);
    }

    // What is left to do needs no record: the instance is ended, and its pod has ended with it.
    private void EndDeleted()
    {
        const string message = "the record of the pod's cell was deleted, which ends the cell";
        LogDeleted(Record.Id);
        var status = Record.FinalStatus ?? (_cell.Status is { } last && PodPhase.IsFinal(last.Phase) ? last : Lost("CellDeleted", message));
        _cell.SetRecord(Record with
        {
            State = CellState.Terminating,
            StateSince = Now,
            Reason = "CellDeleted",
            Message = message,
            FinalStatus = Record.Pod is null ? null : status,
        });
        _cell.SetStatus(status);
    }

    private async Task ReachPodEndAsync(CancellationToken lifetime)
    {
        if (Record.State >= CellState.Terminating)
        {
            _cell.SetPodEnded(Record.FinalStatus ?? Lost(Record.Reason ?? "CellLost", Record.Message ?? "the cell was ended"));
            return;
        }

        if (Record is { Reason: CellRecord.SpotInterrupted, State: < CellState.Claimed })
        {
            await _abandoned.CancelAsync().ConfigureAwait(false); // by the process before this one
        }

        if (Record.DrainDeadline is { } deadline)
        {
            _overdue.CancelAfter(Max(deadline - Now, TimeSpan.Zero));
        }

        PodStatus status;
        string reason, message;
        var served = false;
        try
        {
            using var notStarted = CancellationTokenSource.CreateLinkedTokenSource(lifetime, _abandoned.Token);
            if (Record.State == CellState.Planned)
            {
                await LaunchAsync(notStarted.Token).ConfigureAwait(false);
            }

            if (Record.State == CellState.Launching)
            {
                await AwaitAddressAsync(notStarted.Token).ConfigureAwait(false);
            }

            status = await ServeAsync(lifetime).ConfigureAwait(false);
            (reason, message) = ("PodEnded", $"the pod has ended: {status.Phase}");
            _unmounted = served = true;
        }
        catch (CellException e)
        {
            (reason, message) = (e.Reason, e.Message);
            status = Lost(reason, message);
            LogFailed(Record.Id, Record.Pod, reason, message);
        }
        catch (OperationCanceledException) when (_abandoned.IsCancellationRequested && !lifetime.IsCancellationRequested)
        {
            (reason, message) = Record.Pod is null ? ("Unneeded", "no pod has taken it") : ("Stopped", "the pod was stopped before it had started");
            status = Lost(reason, message);
        }

        if (Record is { Reason: CellRecord.SpotInterrupted } or { Reason: CellRecord.RebalanceRecommended, State: CellState.Draining })
        {
            (reason, message) = (Record.Reason, Record.Message!);
            status = Interrupted(status, reason, message);
        }

        _cell.SetStatus(status);
        if (served)
        {
            // Of a pod that was lost or never started there is no rest of a log to wait for.
            await AfterPodEndedAsync(lifetime).ConfigureAwait(false);
            await _cell.WaitForReadersAsync(_context.Options.LogDrainTimeout, lifetime).ConfigureAwait(false);
        }

        if (_cell.ConnectedAgent is { } agent)
        {
            _cell.LostAgent(agent);
            await agent.DisposeAsync().ConfigureAwait(false);
        }

        await UpdateAsync(
            r => r with
            {
                State = CellState.Terminating,
                Reason = reason,
                Message = message,
                FinalStatus = r.Pod is null ? null : status,
            },
            lifetime).ConfigureAwait(false);
        _cell.SetPodEnded(status);
    }

    private async Task AfterPodEndedAsync(CancellationToken lifetime)
    {
        using var limit = new CancellationTokenSource(_context.Options.LogDrainTimeout, _context.Time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, lifetime);
        try
        {
            await _context.Options.AfterPodEnded(_cell, bounded.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!lifetime.IsCancellationRequested)
        {
            // Who is slower must not keep a cell that costs money.
        }
    }

    private static CellException Ended(Instance instance) =>
        new("CellLost", $"instance {instance.Id} has ended{(instance.StateReason is { } why ? $": {why}" : "")}");

    private PodStatus Lost(string reason, string message) =>
        (_cell.Status ?? new PodStatus { StartTime = Record.CreatedAt }).AsFailed(reason, message);

    // As a kubelet does it whose node shuts down: what has succeeded has, all else has failed, and the condition says that it was not the pod's fault.
    private static PodStatus Interrupted(PodStatus ended, string reason, string message)
    {
        if (ended.Phase == PodPhase.Succeeded)
        {
            return ended;
        }

        var status = ended.AsFailed(reason, message);
        status.Conditions =
        [
            .. (status.Conditions ?? []).Where(static c => c.Type != PodConditionType.DisruptionTarget),
            new PodCondition { Type = PodConditionType.DisruptionTarget, Status = "True", Reason = "TerminationByKubelet", Message = message },
        ];
        return status;
    }

    private async Task UpdateAsync(Func<CellRecord, CellRecord> change, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await StoreAsync(change(Record), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task StoreAsync(CellRecord changed, CancellationToken cancellationToken)
    {
        if (changed.State != Record.State)
        {
            changed = changed with { StateSince = Now };
        }

        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        _cell.SetRecord(await _context.Store.UpdateAsync(changed, cancellationToken).ConfigureAwait(false));
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

    private static DateTimeOffset Min(DateTimeOffset one, DateTimeOffset? other) => other < one ? other.Value : one;

    private static DateTimeOffset? Min(DateTimeOffset? one, DateTimeOffset? other) => one is { } known ? Min(known, other) : other;

    private static TimeSpan Max(TimeSpan left, TimeSpan right) => left > right ? left : right;

    [LoggerMessage(1, LogLevel.Error, "{CellId}: unexpected failure, tried again in {Pause}")]
    private partial void LogUnexpected(Exception exception, string cellId, TimeSpan pause);

    [LoggerMessage(2, LogLevel.Warning, "{CellId} was taken over by another process: {Detail}")]
    private partial void LogTakenOver(string cellId, string detail);

    [LoggerMessage(10, LogLevel.Warning, "The record of {CellId} was deleted by somebody; the cell is ended")]
    private partial void LogDeleted(string cellId);

    [LoggerMessage(3, LogLevel.Warning, "{CellId} (pod: {Pod}) failed: {Reason}: {Message}")]
    private partial void LogFailed(string cellId, PodReference? pod, string reason, string message);

    [LoggerMessage(4, LogLevel.Warning, "{CellId}: {InstanceType} in {Zone} is not to be had ({Problem}); trying {Next} in {NextZone}")]
    private partial void LogAlternative(string cellId, string instanceType, string zone, string problem, string next, string nextZone);

    [LoggerMessage(5, LogLevel.Warning, "{CellId}: launch failed ({Problem}); tried again in {Pause}")]
    private partial void LogLaunchRetry(string cellId, string problem, TimeSpan pause);

    [LoggerMessage(6, LogLevel.Information, "{CellId}: connection to the agent lost: {Problem}")]
    private partial void LogConnectionLost(string cellId, string problem);

    [LoggerMessage(9, LogLevel.Warning, "{CellId} waits for a pod without image {Image}: {Problem}")]
    private partial void LogNotPulled(string cellId, string image, string problem);

    [LoggerMessage(8, LogLevel.Warning, "{CellId} is given up: {Detail}")]
    private partial void LogLeaving(string cellId, string detail);

    [LoggerMessage(7, LogLevel.Warning, "{CellId}: termination failed ({Problem}); tried again in {Pause}")]
    private partial void LogTerminateRetry(string cellId, string problem, TimeSpan pause);
}
