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
            var agent = Record.State < CellState.Ready
                ? await BootAsync(cancellationToken).ConfigureAwait(false)
                : await RedialAsync(cancellationToken).ConfigureAwait(false);
            try
            {
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

    private async Task<ICellAgent> RedialAsync(CancellationToken cancellationToken)
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, Record.State < CellState.Claimed ? _abandoned.Token : CancellationToken.None);
        return await DialAsync(
            () => Record,
            problem => _context.Time.GetElapsedTime(_lastContact) > _context.Options.AgentLostTimeout
                ? new CellException("CellLost", $"the agent was out of reach for {_context.Options.AgentLostTimeout.TotalMinutes:0.#} minutes: {problem}")
                : null,
            abandoned.Token).ConfigureAwait(false);
    }

    private CellRecord Claimed(CellRecord record) => record with { State = CellState.Claimed, ClaimedAt = Now };

    /// <summary>Gives the cell to a pod, if it has none and could serve it: at once when it is ready, as soon as it has booted otherwise.</summary>
    /// <returns>Whether the pod has the cell now.</returns>
    public async Task<bool> TryTakeAsync(PodReference pod, PodAssignment assignment, CancellationToken cancellationToken)
    {
        await AwaitFirstContactAsync(cancellationToken).ConfigureAwait(false);
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
            _wasTaken = true;
        }
        finally
        {
            _turn.Release();
        }

        _assigned.Release();
        // The cell is the pod's now, also if its agent cannot be told yet, or refuses.
        await TellAsync(agent, static _ => false, cancellationToken).ConfigureAwait(false);
        return true;
    }

    // A ready cell that this process has just taken up answers in a moment, long before another one would have booted.
    private async Task AwaitFirstContactAsync(CancellationToken cancellationToken)
    {
        var left = FirstContact - _context.Time.GetElapsedTime(_takenUp);
        if (Record.State != CellState.Ready || _connection is not null || left <= TimeSpan.Zero)
        {
            return;
        }

        try
        {
            await _cell.AgentOrNullAsync(cancellationToken).WaitAsync(left, _context.Time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // It does not answer: no cell for this pod.
        }
    }

    /// <summary>Gives the pod's newest version to the agent: now when it is connected, and on each new connection.</summary>
    public async Task AssignAsync(PodAssignment assignment, CancellationToken cancellationToken)
    {
        _cell.Assignment = assignment;
        _assigned.Release();
        if (Record.State == CellState.Claimed)
        {
            await TellAsync(_cell.ConnectedAgent, static e => e is AgentException { Kind: not AgentErrorKind.Unavailable }, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Tells an agent, if there is one, what is wanted of it now. What does not reach it is said again on a new connection, which is made at
    /// once, and what it answers is heard there.
    /// </summary>
    /// <param name="agent">The agent.</param>
    /// <param name="isForCaller">Which answers the caller is to hear instead.</param>
    /// <param name="cancellationToken">Ends the call, not the telling.</param>
    private async Task TellAsync(ICellAgent? agent, Predicate<Exception> isForCaller, CancellationToken cancellationToken)
    {
        if (agent is null)
        {
            return;
        }

        try
        {
            await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when ((e is AgentException or CellException or ObjectDisposedException or OperationCanceledException) && !isForCaller(e))
        {
            LogConnectionLost(Record.Id, e.Message);
            await ReconnectAsync().ConfigureAwait(false);
        }
    }

    /// <summary>A pod that takes the cell meanwhile goes its own way; what is pulled already it need not pull.</summary>
    private async Task PullImagesAsync(ICellAgent agent, CancellationToken cancellationToken)
    {
        foreach (var image in _cell.Images)
        {
            try
            {
                var logins = await _context.Logins.GetAsync([image], _context.Options.Credentials, cancellationToken).ConfigureAwait(false);
                await agent.PullImageAsync(image, [.. _context.Options.Credentials, .. logins.Credentials], cancellationToken).ConfigureAwait(false);
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
        var attaching = AttachAsync(agent, watch);
        var routing = RouteAsync(watch);
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
                    if (happened.Reason == CellRecord.RebalanceRecommended) // as agents name it
                    {
                        await AdviseAsync(happened, cancellationToken).ConfigureAwait(false);
                    }
                    else
                    {
                        _cell.Publish(CellUpdateKind.PodEvent, happened);
                    }
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

                // There is a heartbeat every few seconds: that is clock enough.
                if (Now.UtcTicks >= Interlocked.Read(ref _loginsDue) &&
                    !(await GetLoginsAsync(cancellationToken).ConfigureAwait(false)).SequenceEqual(_logins))
                {
                    await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested && !_abandoned.IsCancellationRequested)
        {
            foreach (var beside in new[] { attaching, routing })
            {
                await beside.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (beside.IsFaulted)
                {
                    await beside.ConfigureAwait(false); // that is why
                }
            }

            throw new AgentException(AgentErrorKind.Unavailable, $"nothing was heard from the agent of {Record.Id} for {Silence.TotalSeconds:0} s, or not what was expected");
        }
        finally
        {
            _connection = null;
            await watch.CancelAsync().ConfigureAwait(false);
            await attaching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await pulling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await routing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        throw new AgentException(AgentErrorKind.Unavailable, $"the agent of {Record.Id} ended its status stream");
    }

    /// <summary>Tells an agent what is wanted of it now. Called on each new connection and on each change.</summary>
    private async Task ConveyAsync(ICellAgent agent, CancellationToken cancellationToken)
    {
        // First: what is wanted may change while they are waited for.
        var logins = await GetLoginsAsync(cancellationToken).ConfigureAwait(false);
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
        else if (_cell.Assignment is { } given && WithDevices(given) is { } assignment)
        {
            _logins = logins;
            await agent.ApplyPodAsync(
                assignment with { PodAddress = Record.PodAddress, Credentials = [.. assignment.Credentials, .. _context.Options.Credentials, .. logins] },
                cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<IReadOnlyList<RegistryCredential>> GetLoginsAsync(CancellationToken cancellationToken)
    {
        if (Record.State == CellState.Draining || _cell.Assignment is not { } assignment)
        {
            Interlocked.Exchange(ref _loginsDue, DateTimeOffset.MaxValue.UtcTicks);
            return [];
        }

        var spec = assignment.Pod.Spec;
        var images = (spec.InitContainers ?? []).Concat(spec.Containers).Concat(spec.EphemeralContainers ?? []).Select(static container => container.Image);
        var logins = await _context.Logins.GetAsync(images, [.. assignment.Credentials, .. _context.Options.Credentials], cancellationToken).ConfigureAwait(false);
        Interlocked.Exchange(ref _loginsDue, logins.RenewAt.UtcTicks);
        var problem = string.Join("; ", logins.Problems);
        if (Interlocked.Exchange(ref _loginProblem, problem) != problem && problem.Length > 0)
        {
            var message = $"There is no login for some images, which are pulled without: {problem}";
            _cell.Publish(CellUpdateKind.PodEvent, new AgentEvent(0, Now, "Warning", "FailedToRetrieveRegistryLogin", message, null));
        }

        return logins.Credentials;
    }

    /// <summary>Completes with the reason when the instance has ended by itself.</summary>
    private async Task<CellException> WatchInstanceAsync(CancellationToken cancellationToken)
    {
        var absent = 0;
        while (true)
        {
            // While the agent is connected there is no hurry; once it is not, the instance is the first suspect.
            var hasLoser = Record is { State: >= CellState.Ready, Spare: not null };
            var eager = Record.State >= CellState.Ready && (_cell.ConnectedAgent is null || hasLoser);
            var instances = await _context.Watcher.NextAsync(eager, cancellationToken).ConfigureAwait(false);
            var instance = instances.Find(Record.InstanceId);
            if (instance is { State: >= InstanceState.Terminating })
            {
                return Ended(instance);
            }

            if (hasLoser)
            {
                await EndSpareAsync(instances, cancellationToken).ConfigureAwait(false);
            }

            absent = instance is null && Now - Record.StateSince > _context.Driver.Description.ListDelay ? absent + 1 : 0;
            if (absent == 2)
            {
                return new CellException("CellLost", $"instance {Record.InstanceId} does not exist any more");
            }
        }
    }
}
