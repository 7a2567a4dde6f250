using System.Globalization;
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
    private volatile CancellationTokenSource? _connection; // cancelled for a new one
    private string? _agentInstance;
    private long _lastEvent;
    private bool _launchSent; // the cloud may know the launch token: no other launch before it has refused this one
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
        _lastContact = context.Time.GetTimestamp();
        cell.Stopper = StopPodAsync;
    }

    private CellRecord Record => _cell.Record;

    private DateTimeOffset Now => _context.Time.GetUtcNow();

    public void Dispose()
    {
        _turn.Dispose();
        _abandoned.Dispose();
        _overdue.Dispose();
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
        var status = Record.FinalStatus ?? (_cell.Status is { HasEnded: true } ended ? ended : Lost("CellDeleted", message));
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
            served = true;
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

        if (Record.Reason == CellRecord.SpotInterrupted)
        {
            (reason, message) = (CellRecord.SpotInterrupted, Record.Message!);
            status = Interrupted(status, message);
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

    // ---- launch

    private async Task LaunchAsync(CancellationToken cancellationToken)
    {
        var since = Now;
        var pause = FirstRetry;
        while (true)
        {
            var entered = Now;
            await AwaitTurnAsync(cancellationToken).ConfigureAwait(false);
            since += Now - entered; // the cloud has not had this time
            if (!_launchSent && _context.Refusals.Find(Record.InstanceType, Record.Zone, Record.CapacityType) is { } refused && _nextCandidate() is { } better)
            {
                await TakeAsync(better, $"refused to another cell: {refused.Kind}", cancellationToken).ConfigureAwait(false);
            }

            try
            {
                await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
                _launchSent = true;
                var instance = await BoundedAsync(TryLaunchAsync, cancellationToken).ConfigureAwait(false);
                await UpdateAsync(r => Located(r, instance), cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (DriverException e)
            {
                if (e.SuggestsAlternative)
                {
                    _context.Refusals.Add(e.Kind, Record.InstanceType, Record.Zone, Record.CapacityType);
                    if (_nextCandidate() is { } next)
                    {
                        await TakeAsync(next, e.Message, cancellationToken).ConfigureAwait(false);
                        _launchSent = false;
                        continue;
                    }
                }

                if (e.Kind != DriverErrorKind.Throttled && (!e.IsRetryable || Now - since >= _context.Options.LaunchTimeout))
                {
                    throw new CellException("LaunchFailed", $"no cell could be launched: {e.Message}", e);
                }

                LogLaunchRetry(Record.Id, e.Message, pause);
                await Task.Delay(Jitter(pause), _context.Time, cancellationToken).ConfigureAwait(false);
                pause = Min(pause * 2, SlowestRetry);
            }
        }
    }

    /// <summary>Waits until the cloud takes another launch.</summary>
    private Task AwaitTurnAsync(CancellationToken cancellationToken) => _context.Driver.Launches.EnterAsync(
        Record.Pod is null ? int.MinValue : _cell.Assignment?.Pod.Spec.Priority ?? 0, // what nobody waits for is last
        Record.CreatedAt,
        (before, wait) =>
        {
            if (wait > QuietQueue)
            {
                var message = $"Waiting for the cloud's launch limit: {before} cells are before it, about {wait.TotalSeconds:0} s";
                _cell.Publish(CellUpdateKind.PodEvent, new AgentEvent(0, Now, "Normal", "LaunchQueued", message, null));
            }
        },
        cancellationToken);

    private Task TakeAsync(Candidate next, string why, CancellationToken cancellationToken)
    {
        LogAlternative(Record.Id, Record.InstanceType, Record.Zone, why, next.Type.Name, next.Offering.Zone);
        return UpdateAsync(r => For(r, next), cancellationToken);
    }

    // Another type is another launch: it needs a token of its own, durable before the call.
    private static CellRecord For(CellRecord record, Candidate chosen) => record with
    {
        LaunchToken = CellManager.NewLaunchToken(),
        InstanceType = chosen.Type.Name,
        AttachedGpus = chosen.AttachedGpus,
        Zone = chosen.Offering.Zone,
        CapacityType = chosen.Offering.CapacityType,
        PricePerHour = chosen.PricePerHour,
    };

    private async Task<Instance> TryLaunchAsync(CancellationToken cancellationToken)
    {
        var record = Record;
        var boot = new CellBootConfiguration
        {
            CellId = record.Id,
            ControllerCa = _context.Options.ControllerCa,
            EnrolmentToken = _context.Agents.GetEnrolmentToken(record),
            Registries = _context.Options.Registries,
            InterruptionNotices = record.CapacityType == CapacityType.Spot ? _context.Driver.Description.InterruptionNotices : null,
        };
        return await _context.Driver.LaunchAsync(
            new LaunchRequest
            {
                LaunchToken = record.LaunchToken,
                InstanceType = record.InstanceType,
                AttachedGpus = record.AttachedGpus,
                Zone = record.Zone,
                CapacityType = record.CapacityType,
                ImageId = await _context.Driver.ResolveImageAsync(_context.Options.Image, cancellationToken).ConfigureAwait(false),
                DiskBytes = record.DiskBytes,
                UserData = boot.ToJson(),
                Tags = Tags(record),
            },
            cancellationToken).ConfigureAwait(false);
    }

    private Dictionary<string, string> Tags(CellRecord record)
    {
        var tags = new Dictionary<string, string>
        {
            [InstanceTags.ControllerId] = _context.Driver.Description.ControllerId,
            [InstanceTags.CellId] = record.Id,
            [InstanceTags.Name] = "Kip standby",
        };
        if (record.Pod is { } pod)
        {
            tags[InstanceTags.Name] = $"Kip {pod}";
            tags[InstanceTags.PodNamespace] = pod.Namespace;
            tags[InstanceTags.PodName] = pod.Name;
        }

        return tags;
    }

    private async Task AwaitAddressAsync(CancellationToken cancellationToken)
    {
        var deadline = Record.StateSince + _context.Options.BootTimeout;
        while (true)
        {
            var instances = await _context.Watcher.NextAsync(eager: true, cancellationToken).ConfigureAwait(false);
            var instance = instances.Find(Record.InstanceId);
            if (instance is { State: >= InstanceState.Terminating })
            {
                throw Ended(instance);
            }

            if (instance is { Address: not null })
            {
                await UpdateAsync(r => Located(r, instance), cancellationToken).ConfigureAwait(false);
                return;
            }

            if (Now > deadline)
            {
                throw new CellException("BootTimeout", $"instance {Record.InstanceId} had no address {_context.Options.BootTimeout.TotalMinutes:0.#} minutes after its launch");
            }
        }
    }

    private static CellRecord Located(CellRecord record, Instance instance) => record with
    {
        State = instance.Address is null ? CellState.Launching : CellState.Booting,
        InstanceId = instance.Id,
        Address = instance.Address,
        PodAddress = instance.PodAddress,
    };

    // ---- serve: from the first answer of the agent to the end of the pod

    private async Task<PodStatus> ServeAsync(CancellationToken lifetime)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(lifetime, _overdue.Token);
        var watching = WatchInstanceAsync(ended.Token);
        var serving = ServeAgentAsync(ended.Token);
        try
        {
            if (await Task.WhenAny(serving, watching).ConfigureAwait(false) == watching)
            {
                var end = await watching.ConfigureAwait(false);
                await ended.CancelAsync().ConfigureAwait(false);
                try
                {
                    // The pod may have ended in the same moment: then that is the truth.
                    return await serving.ConfigureAwait(false);
                }
                catch (Exception e) when (e is OperationCanceledException or CellException && !lifetime.IsCancellationRequested)
                {
                    throw end;
                }
            }

            return await serving.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_overdue.IsCancellationRequested && !lifetime.IsCancellationRequested)
        {
            throw new CellException("StopTimeout", "the pod did not stop in time; its cell was terminated");
        }
        finally
        {
            // Both: a write to the store that is still under way would meet whoever takes the cell up next.
            await ended.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(watching, serving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<PodStatus> ServeAgentAsync(CancellationToken cancellationToken)
    {
        var pause = FirstDial;
        while (true)
        {
            var agent = await DialAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (Record.State < CellState.Ready)
                {
                    await EnrolledAsync(cancellationToken).ConfigureAwait(false);
                }

                return await FollowAsync(agent, cancellationToken).ConfigureAwait(false);
            }
            catch (AgentException e) when (e.Kind == AgentErrorKind.Refused)
            {
                throw new CellException("PodRefused", e.Message, e);
            }
            catch (AgentException e)
            {
                LogConnectionLost(Record.Id, e.Message);
            }

            _cell.LostAgent(agent);
            await agent.DisposeAsync().ConfigureAwait(false);
            await Task.Delay(pause, _context.Time, cancellationToken).ConfigureAwait(false);
            pause = Min(pause * 2, SlowestDial);
        }
    }

    private async Task<ICellAgent> DialAsync(CancellationToken cancellationToken)
    {
        var pause = FirstDial;
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, Record.State < CellState.Claimed ? _abandoned.Token : CancellationToken.None);
        while (true)
        {
            string problem;
            try
            {
                using var timeout = new CancellationTokenSource(AttemptTimeout, _context.Time);
                using var attempt = CancellationTokenSource.CreateLinkedTokenSource(abandoned.Token, timeout.Token);
                return await _context.Agents.ConnectAsync(Record, OnStep, attempt.Token).ConfigureAwait(false);
            }
            catch (AgentException e)
            {
                problem = e.Message;
            }
            catch (OperationCanceledException) when (!abandoned.IsCancellationRequested)
            {
                problem = $"no answer within {AttemptTimeout.TotalSeconds:0} s";
            }

            if (Record.State < CellState.Ready)
            {
                var limit = _context.Boots.LimitFor(Record.InstanceType);
                if (Now > Record.StateSince + limit)
                {
                    _context.Boots.Add(Record.InstanceType, limit);
                    throw new CellException("BootTimeout", $"the agent was not ready within {limit.TotalMinutes:0.#} minutes: {problem}");
                }
            }
            else if (_context.Time.GetElapsedTime(_lastContact) > _context.Options.AgentLostTimeout)
            {
                throw new CellException("CellLost", $"the agent was out of reach for {_context.Options.AgentLostTimeout.TotalMinutes:0.#} minutes: {problem}");
            }

            await Task.Delay(Jitter(pause), _context.Time, abandoned.Token).ConfigureAwait(false);
            pause = Min(pause * 1.5, SlowestDial);
        }
    }

    private void OnStep(AgentConnectStep step)
    {
        if (Record.State < CellState.Claimed)
        {
            _cell.Publish(step == AgentConnectStep.Answered ? CellUpdateKind.AgentAnswered : CellUpdateKind.AgentEnrolled);
        }
    }

    private async Task EnrolledAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // A stop that came first wins: nothing may start after it.
            _abandoned.Token.ThrowIfCancellationRequested();
            _context.Boots.Add(Record.InstanceType, Now - Record.StateSince);
            var enrolled = Record with { State = CellState.Ready };
            await StoreAsync(enrolled.Pod is null ? enrolled : Claimed(enrolled), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }

        _context.Enrolled(Record);
    }

    private CellRecord Claimed(CellRecord record) => record with { State = CellState.Claimed, ClaimedAt = Now };

    /// <summary>Gives the cell to a pod, if it has none and could serve it: at once when it is ready, as soon as it has booted otherwise.</summary>
    /// <returns>Whether the pod has the cell now.</returns>
    public async Task<bool> TryTakeAsync(PodReference pod, PodAssignment assignment, CancellationToken cancellationToken)
    {
        ICellAgent? agent;
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            agent = _cell.ConnectedAgent;
            var isReady = Record.State == CellState.Ready;
            // While the launch is tried the pod stays what it was: it is in the tags, and those go with the launch token.
            if (Record is not { Pod: null, State: CellState.Launching or CellState.Booting or CellState.Ready }
                || (isReady && agent is null)
                || _abandoned.IsCancellationRequested)
            {
                return false;
            }

            var taken = Record with { Pod = pod };
            await StoreAsync(isReady ? Claimed(taken) : taken, cancellationToken).ConfigureAwait(false);
            _cell.Assignment = assignment;
        }
        finally
        {
            _turn.Release();
        }

        if (agent is not null)
        {
            try
            {
                await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is AgentException or ObjectDisposedException or OperationCanceledException)
            {
                // The cell is the pod's now. On a new connection it is given again, and whoever refuses it is heard there.
                LogConnectionLost(Record.Id, e.Message);
                await ReconnectAsync().ConfigureAwait(false);
            }
        }

        return true;
    }

    /// <summary>A pod that takes the cell meanwhile goes its own way; what is pulled already it need not pull.</summary>
    private async Task PullImagesAsync(ICellAgent agent, CancellationToken cancellationToken)
    {
        foreach (var image in _cell.Images)
        {
            try
            {
                await agent.PullImageAsync(image, _context.Options.Credentials, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is AgentException or ObjectDisposedException)
            {
                LogNotPulled(Record.Id, image, e.Message); // the pod that needs it will hear why
            }
        }
    }

    private async Task ReconnectAsync()
    {
        try
        {
            await (_connection?.CancelAsync() ?? Task.CompletedTask).ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }

    private async Task<PodStatus> FollowAsync(ICellAgent agent, CancellationToken cancellationToken)
    {
        if (agent.Instance != _agentInstance)
        {
            (_agentInstance, _lastEvent) = (agent.Instance, 0);
        }

        // Known to others only once it knows the pod; what was wished meanwhile is said again.
        var (state, assignment) = (Record.State, _cell.Assignment);
        await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
        _cell.SetAgent(agent);
        if (state != Record.State || !ReferenceEquals(assignment, _cell.Assignment))
        {
            await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
        }

        using var silence = new CancellationTokenSource(Silence, _context.Time);
        using var watch = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silence.Token, _abandoned.Token);
        _connection = silence;
        var pulling = Record.State == CellState.Ready ? PullImagesAsync(agent, watch.Token) : Task.CompletedTask;
        try
        {
            await foreach (var update in agent.WatchAsync(_lastEvent, watch.Token).ConfigureAwait(false))
            {
                silence.CancelAfter(Silence);
                _lastContact = _context.Time.GetTimestamp();
                if (update.Event is { } happened)
                {
                    _lastEvent = happened.Sequence;
                    _cell.Publish(CellUpdateKind.PodEvent, happened);
                }

                if (update.Status is { } status)
                {
                    if (status.HasEnded)
                    {
                        return status;
                    }

                    _cell.SetStatus(status);
                }

                if (update.Interruption is { } interruption)
                {
                    await InterruptAsync(interruption, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (silence.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new AgentException(AgentErrorKind.Unavailable, $"nothing was heard from the agent of {Record.Id} for {Silence.TotalSeconds:0} s, or not what was expected");
        }
        finally
        {
            _connection = null;
            await watch.CancelAsync().ConfigureAwait(false);
            await pulling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        throw new AgentException(AgentErrorKind.Unavailable, $"the agent of {Record.Id} ended its status stream");
    }

    /// <summary>Tells an agent what is wanted of it now. Called on each new connection and on each change.</summary>
    private async Task ConveyAsync(ICellAgent agent, CancellationToken cancellationToken)
    {
        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        if (Record.State == CellState.Draining)
        {
            var left = Max((Record.DrainDeadline ?? Now) - StopSlack - Now, TimeSpan.Zero);
            try
            {
                await agent.StopPodAsync(_cell.Pod.Uid, left, cancellationToken).ConfigureAwait(false);
            }
            catch (AgentException e) when (e.Kind == AgentErrorKind.NotFound)
            {
                throw new CellException("Stopped", "the pod was stopped before it had started", e);
            }
        }
        else if (_cell.Assignment is { } assignment)
        {
            await agent.ApplyPodAsync(
                assignment with { PodAddress = Record.PodAddress, Credentials = [.. assignment.Credentials, .. _context.Options.Credentials] },
                cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Completes with the reason when the instance has ended by itself.</summary>
    private async Task<CellException> WatchInstanceAsync(CancellationToken cancellationToken)
    {
        var absent = 0;
        while (true)
        {
            // While the agent is connected there is no hurry; once it is not, the instance is the first suspect.
            var eager = _cell.ConnectedAgent is null && Record.State >= CellState.Ready;
            var instances = await _context.Watcher.NextAsync(eager, cancellationToken).ConfigureAwait(false);
            var instance = instances.Find(Record.InstanceId);
            if (instance is { State: >= InstanceState.Terminating })
            {
                return Ended(instance);
            }

            absent = instance is null && Now - Record.StateSince > _context.Driver.Description.ListDelay ? absent + 1 : 0;
            if (absent == 2)
            {
                return new CellException("CellLost", $"instance {Record.InstanceId} does not exist any more");
            }
        }
    }

    // ---- stop

    private Task StopPodAsync(TimeSpan? gracePeriod, CancellationToken cancellationToken) => DrainAsync(gracePeriod, null, cancellationToken);

    /// <summary>The cloud takes the cell back: the pod is stopped while there is time. A cell that waits for one ends.</summary>
    private async Task InterruptAsync(AgentInterruption interruption, CancellationToken cancellationToken)
    {
        if (Record.Reason is null)
        {
            LogInterrupted(Record.Id, interruption.Deadline, interruption.Message);
            // Who is to replace it should not have the next one taken back too.
            _context.Refusals.Add(DriverErrorKind.OutOfCapacity, Record.InstanceType, Record.Zone, Record.CapacityType);
            await DrainAsync(null, interruption, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task DrainAsync(TimeSpan? gracePeriod, AgentInterruption? interruption, CancellationToken cancellationToken)
    {
        var grace = gracePeriod ?? (_cell.Assignment?.Pod.Spec.TerminationGracePeriodSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : DefaultGrace);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Record.State >= CellState.Terminating)
            {
                return;
            }

            if (Record.State < CellState.Claimed)
            {
                await _abandoned.CancelAsync().ConfigureAwait(false);
                return;
            }

            var deadline = Min(Now + grace + StopSlack, Min(Record.DrainDeadline, interruption?.Deadline));
            _overdue.CancelAfter(Max(deadline - Now, TimeSpan.Zero));
            var draining = Record with { State = CellState.Draining, DrainDeadline = deadline };
            await StoreAsync(
                interruption is null
                    ? draining
                    : draining with
                    {
                        Reason = CellRecord.SpotInterrupted,
                        Message = string.Create(
                            CultureInfo.InvariantCulture, $"the cloud takes the cell back at {interruption.Deadline.UtcDateTime:HH:mm:ss} UTC: {interruption.Message}"),
                    },
                cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }

        if (_cell.ConnectedAgent is { } agent)
        {
            try
            {
                await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is AgentException or CellException or ObjectDisposedException)
            {
                LogConnectionLost(Record.Id, e.Message); // said again on the next connection
            }
        }
    }

    /// <summary>Ends a cell that waits for a pod, unless a pod has taken it.</summary>
    public async Task RetireAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Record.Pod is null)
            {
                await _abandoned.CancelAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Gives the pod's newest version to the agent: now when it is connected, and on each new connection.</summary>
    public async Task AssignAsync(PodAssignment assignment, CancellationToken cancellationToken)
    {
        _cell.Assignment = assignment;
        if (_cell.ConnectedAgent is { } agent && Record.State == CellState.Claimed)
        {
            try
            {
                await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is AgentException { Kind: AgentErrorKind.Unavailable } or ObjectDisposedException)
            {
                LogConnectionLost(Record.Id, e.Message);
            }
        }
    }

    // ---- termination

    private async Task ReachGoneAsync(CancellationToken cancellationToken)
    {
        var pause = FirstRetry;
        var absent = 0;
        // A launch whose answer was never seen may have taken effect: only the list tells, and only after a while.
        var needed = Record.InstanceId is null ? 1 : 2;
        var asked = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            try
            {
                if (Record.InstanceId is { } id && !asked.Contains(id))
                {
                    await TerminateAsync([id], cancellationToken).ConfigureAwait(false);
                    asked.Add(id);
                }

                var instances = await _context.Watcher.NextAsync(eager: true, cancellationToken).ConfigureAwait(false);
                var mine = instances.OfCell(Record);
                // One that has ended by itself may have left things that were made with it: the driver is told of each at least once.
                var due = mine.Where(i => i.State < InstanceState.Terminating || !asked.Contains(i.Id)).Select(static i => i.Id).ToList();
                if (due.Count > 0)
                {
                    await TerminateAsync(due, cancellationToken).ConfigureAwait(false);
                    asked.UnionWith(due);
                    absent = 0;
                    continue;
                }

                if (mine.Any(static i => i.State == InstanceState.Terminating))
                {
                    absent = 0;
                    continue;
                }

                absent++;
                var settled = Record.InstanceId is not null || Now - Record.StateSince >= _context.Driver.Description.ListDelay;
                if (settled && (mine.Count > 0 || absent >= needed))
                {
                    break;
                }
            }
            catch (DriverException e)
            {
                LogTerminateRetry(Record.Id, e.Message, pause);
                await Task.Delay(Jitter(pause), _context.Time, cancellationToken).ConfigureAwait(false);
                pause = Min(pause * 2, SlowestRetry);
            }
        }

        if (Record.Pod is not null)
        {
            await _context.Options.BeforeForgotten(_cell, cancellationToken).ConfigureAwait(false);
        }

        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        await _context.Store.DeleteAsync(Record, cancellationToken).ConfigureAwait(false);
        _cell.SetGone();
    }

    private async Task TerminateAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        await BoundedAsync(
            async ct =>
            {
                await _context.Driver.TerminateAsync(ids, ct).ConfigureAwait(false);
                return true;
            },
            cancellationToken).ConfigureAwait(false);
    }

    // ---- what the steps share

    private static CellException Ended(Instance instance) =>
        new("CellLost", $"instance {instance.Id} has ended{(instance.StateReason is { } why ? $": {why}" : "")}");

    private PodStatus Lost(string reason, string message)
    {
        var status = _cell.Status is { } last ? KubernetesJson.Clone(last) : new PodStatus { StartTime = Record.CreatedAt };
        status.Phase = PodPhase.Failed;
        status.Reason = reason;
        status.Message = message;
        return status;
    }

    // As a kubelet does it whose node shuts down: what has succeeded has, all else has failed, and the condition says that it was not the pod's fault.
    private static PodStatus Interrupted(PodStatus ended, string message)
    {
        if (ended.Phase == PodPhase.Succeeded)
        {
            return ended;
        }

        var status = KubernetesJson.Clone(ended);
        status.Phase = PodPhase.Failed;
        status.Reason = CellRecord.SpotInterrupted;
        status.Message = message;
        status.Conditions =
        [
            .. (status.Conditions ?? []).Where(static c => c.Type != PodConditionType.DisruptionTarget),
            new PodCondition { Type = PodConditionType.DisruptionTarget, Status = "True", Reason = "TerminationByKubelet", Message = message },
        ];
        return status;
    }

    private async Task<T> BoundedAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_context.Options.CloudCallTimeout, _context.Time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await call(bounded.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DriverException(DriverErrorKind.Transient, $"the cloud did not answer within {_context.Options.CloudCallTimeout.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is not DriverException and not OperationCanceledException)
        {
            throw new DriverException(DriverErrorKind.Transient, $"the driver failed: {e.Message}", e);
        }
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

    private TimeSpan Jitter(TimeSpan pause) => pause * (0.75 + (_context.Random.NextDouble() / 2));

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

    [LoggerMessage(8, LogLevel.Warning, "{CellId} is taken back by the cloud at {Deadline}: {Detail}")]
    private partial void LogInterrupted(string cellId, DateTimeOffset deadline, string detail);

    [LoggerMessage(7, LogLevel.Warning, "{CellId}: termination failed ({Problem}); tried again in {Pause}")]
    private partial void LogTerminateRetry(string cellId, string problem, TimeSpan pause);
}
