using System.Globalization;
using Kip.Agents;
using Kip.Drivers;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <content>
/// From an instance to an agent. A boot that has stalled is watched on while a spare instance boots beside it; the cell's is whichever agent
/// answers first, by one write, and the other one is ended.
/// </content>
internal sealed partial class CellReconciler
{
    private static readonly TimeSpan StallLook = TimeSpan.FromSeconds(5);

    // After twice the time at which the first boot has stalled, the spare's has too: both are given up.
    private const int StallsInARow = 2;

    private TimeSpan StallLimit => _context.Boots.LimitFor(Record.InstanceType);

    private bool HasStalled => Record.Pod is not null && StallLimit < _context.Options.BootTimeout && Now >= Record.StateSince + StallLimit;

    /// <summary>The first word of the agent; the cell is then enrolled.</summary>
    private async Task<ICellAgent> BootAsync(CancellationToken cancellationToken)
    {
        using var race = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _abandoned.Token);
        var first = DialAsync(() => Record, BootOverdue, race.Token);
        var spare = BootSpareAsync(race.Token);
        ICellAgent? chosen = null;
        try
        {
            var winner = await Task.WhenAny(first, spare).ConfigureAwait(false);
            var agent = await winner.ConfigureAwait(false);
            await EnrolledAsync(isSpare: winner == spare, cancellationToken).ConfigureAwait(false);
            return chosen = agent;
        }
        finally
        {
            await race.CancelAsync().ConfigureAwait(false);
            await ((Task)Task.WhenAll(first, spare)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var boot in (Task<ICellAgent>[])[first, spare])
            {
                if (boot.IsCompletedSuccessfully && await boot.ConfigureAwait(false) is var agent && agent != chosen)
                {
                    await agent.DisposeAsync().ConfigureAwait(false);
                }
            }
        }
    }

    private async Task<ICellAgent> DialAsync(Func<CellRecord> target, Func<string, CellException?> overdue, CancellationToken cancellationToken)
    {
        var pause = FirstDial;
        while (true)
        {
            string problem;
            try
            {
                using var timeout = new CancellationTokenSource(AttemptTimeout, _context.Time);
                using var attempt = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
                return await _context.Agents.ConnectAsync(target(), OnStep, attempt.Token).ConfigureAwait(false);
            }
            catch (AgentException e)
            {
                problem = e.Message;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                problem = $"no answer within {AttemptTimeout.TotalSeconds:0} s";
            }

            if (overdue(problem) is { } end)
            {
                throw end;
            }

            await Task.Delay(Jitter(pause), _context.Time, cancellationToken).ConfigureAwait(false);
            pause = Min(pause * 1.2, SlowestDial); // an agent that answers waits a tenth of its boot for the next dial, on average
        }
    }

    private CellException? BootOverdue(string problem)
    {
        // What waits for a pod has no spare: another one is kept in its place.
        var limit = Record.Pod is null ? StallLimit
            : Record.Spare is null ? _context.Options.BootTimeout
            : Min(StallLimit * StallsInARow, _context.Options.BootTimeout);
        if (Now <= Record.StateSince + limit)
        {
            return null;
        }

        _context.Boots.Add(Record.InstanceType, limit);
        return new CellException("BootTimeout", $"the agent was not ready within {limit.TotalMinutes:0.#} minutes: {problem}");
    }

    private void OnStep(AgentConnectStep step)
    {
        if (Record.State < CellState.Claimed)
        {
            _cell.Publish(step == AgentConnectStep.Answered ? CellUpdateKind.AgentAnswered : CellUpdateKind.AgentEnrolled);
        }
    }

    private async Task EnrolledAsync(bool isSpare, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // A stop that came first wins: nothing may start after it.
            _abandoned.Token.ThrowIfCancellationRequested();
            if (!isSpare)
            {
                _context.Boots.Add(Record.InstanceType, Now - Record.StateSince);
            }

            var enrolled = (isSpare ? Swapped(Record) : Record) with { State = CellState.Ready };
            await StoreAsync(enrolled.Pod is null ? enrolled : Claimed(enrolled), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }

        _context.Enrolled(Record);
    }

    /// <summary>The first word of a second agent, once the boot of the first one has stalled.</summary>
    private async Task<ICellAgent> BootSpareAsync(CancellationToken cancellationToken)
    {
        var pause = FirstRetry;
        while (true)
        {
            while (Record.Spare is null && !HasStalled)
            {
                await Task.Delay(StallLook, _context.Time, cancellationToken).ConfigureAwait(false);
            }

            try
            {
                if (Record.Spare is null)
                {
                    await PlanSpareAsync(cancellationToken).ConfigureAwait(false);
                }

                await LaunchSpareAsync(cancellationToken).ConfigureAwait(false);
                return await DialAsync(() => Swapped(Record), static _ => null, cancellationToken).ConfigureAwait(false);
            }
            catch (DriverException e)
            {
                LogSpareFailed(Record.Id, e.Message, pause);
                if (e.SuggestsAlternative)
                {
                    _context.Refusals.Add(e.Kind, Record.Spare!.InstanceType, Record.Spare.Zone, Record.Spare.CapacityType);
                }

                if (!e.IsRetryable)
                {
                    await UpdateSpareAsync(null, cancellationToken).ConfigureAwait(false); // another one is another launch
                }
            }

            await Task.Delay(Jitter(pause), _context.Time, cancellationToken).ConfigureAwait(false);
            pause = Min(pause * 2, SlowestRetry);
        }
    }

    private async Task PlanSpareAsync(CancellationToken cancellationToken)
    {
        // After a restart nobody knows a better one, and of a cell that was not made for this pod only what it is fits for sure.
        var spare = !_wasTaken && _nextCandidate() is { } next
            ? For(next)
            : Record.Launch with { LaunchToken = CellManager.NewLaunchToken(), InstanceId = null, Address = null, PodAddress = null };
        await UpdateSpareAsync(spare, cancellationToken).ConfigureAwait(false);
        var message = string.Create(
            CultureInfo.InvariantCulture,
            $"Instance {Record.InstanceId} boots for longer than {StallLimit.TotalMinutes:0.#} minutes; {spare.InstanceType} in {spare.Zone} is booted beside it, and the pod goes to whichever is ready first");
        LogStalled(Record.Id, message);
        _cell.Publish(CellUpdateKind.PodEvent, new AgentEvent(0, Now, "Warning", "BootStalled", message, null));
    }

    private async Task LaunchSpareAsync(CancellationToken cancellationToken)
    {
        if (Record.Spare!.InstanceId is null)
        {
            await AwaitTurnAsync(cancellationToken).ConfigureAwait(false);
            await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
            var launched = await BoundedAsync(ct => TryLaunchAsync(Swapped(Record), ct), cancellationToken).ConfigureAwait(false);
            await UpdateSpareAsync(Located(Record.Spare, launched), cancellationToken).ConfigureAwait(false);
        }

        while (Record.Spare.Address is null)
        {
            var instances = await _context.Watcher.NextAsync(eager: true, cancellationToken).ConfigureAwait(false);
            var instance = instances.Find(Record.Spare.InstanceId);
            if (instance is { State: >= InstanceState.Terminating })
            {
                throw new DriverException(DriverErrorKind.InvalidConfiguration, $"instance {instance.Id} has ended: {instance.StateReason}");
            }

            if (instance is { Address: not null })
            {
                await UpdateSpareAsync(Located(Record.Spare, instance), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private Task UpdateSpareAsync(CellLaunch? spare, CancellationToken cancellationToken) => UpdateAsync(
        r =>
        {
            // The other agent has answered meanwhile: what is the spare now is no longer ours to change.
            return r.State < CellState.Ready ? r with { Spare = spare } : throw new OperationCanceledException(cancellationToken);
        },
        cancellationToken);

    /// <summary>Ends what lost the race; its launch is forgotten when nothing of it is left.</summary>
    private async Task EndSpareAsync(InstanceList instances, CancellationToken cancellationToken)
    {
        var left = instances.OfCell(Record).Where(i => i.Id != Record.InstanceId && i.State != InstanceState.Terminated).ToList();
        var due = left.Where(static i => i.State < InstanceState.Terminating).Select(static i => i.Id).ToList();
        if (due.Count > 0)
        {
            try
            {
                await TerminateAsync(due, cancellationToken).ConfigureAwait(false);
            }
            catch (DriverException e)
            {
                LogTerminateRetry(Record.Id, e.Message, _context.Driver.Description.ListInterval); // the next list shows it again
            }
        }
        else if (left.Count == 0 && Now - Record.StateSince >= _context.Driver.Description.ListDelay)
        {
            await UpdateAsync(static r => r with { Spare = null }, cancellationToken).ConfigureAwait(false);
        }
    }

    private static CellRecord Swapped(CellRecord record) => record.With(record.Spare!) with { Spare = record.Launch };

    private static CellLaunch Located(CellLaunch launch, Instance instance) =>
        launch with { InstanceId = instance.Id, Address = instance.Address, PodAddress = instance.PodAddress };

    [LoggerMessage(11, LogLevel.Warning, "{CellId}: {Detail}")]
    private partial void LogStalled(string cellId, string detail);

    [LoggerMessage(12, LogLevel.Warning, "{CellId} boots on, without a spare instance ({Problem}); tried again in {Pause}")]
    private partial void LogSpareFailed(string cellId, string problem, TimeSpan pause);
}
