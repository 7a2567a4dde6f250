using Kip.Agents;
using Kip.Drivers;
using Kip.Kubernetes.Objects;

namespace Kip.Cells;

/// <content>From the first answer of the agent to the end of the pod.</content>
internal sealed partial class CellReconciler
{
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
            pause = Min(pause * 1.2, SlowestDial); // an agent that answers waits a tenth of its boot for the next dial, on average
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
                    if (PodPhase.IsFinal(status.Phase))
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
}
