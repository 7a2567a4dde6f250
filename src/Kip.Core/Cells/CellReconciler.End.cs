using System.Globalization;
using Kip.Agents;
using Kip.Drivers;

namespace Kip.Cells;

/// <content>How a pod is stopped, and how the instance goes.</content>
internal sealed partial class CellReconciler
{
    private Task StopPodAsync(TimeSpan? gracePeriod, CancellationToken cancellationToken) => DrainAsync(gracePeriod, null, cancellationToken);

    /// <summary>What the cloud itself tells of the instance; the agent may tell the same.</summary>
    public async Task HearAsync(InterruptionNotice notice, CancellationToken cancellationToken)
    {
        if (notice.InstanceId != Record.InstanceId)
        {
            return; // it is the spare's, or came late: who boots beside it, or its end, is seen without
        }

        if (notice.Deadline is { } deadline)
        {
            await InterruptAsync(new AgentInterruption(deadline, notice.Message), cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await AdviseAsync(new AgentEvent(0, Now, "Warning", CellRecord.RebalanceRecommended, notice.Message, null), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The cloud takes the cell back: the pod is stopped while there is time. A cell that waits for one ends.</summary>
    private async Task InterruptAsync(AgentInterruption interruption, CancellationToken cancellationToken)
    {
        if (Record.Reason is null or CellRecord.RebalanceRecommended)
        {
            var message = string.Create(CultureInfo.InvariantCulture, $"the cloud takes the cell back at {interruption.Deadline.UtcDateTime:HH:mm:ss} UTC: {interruption.Message}");
            await LeaveAsync(new Leaving(CellRecord.SpotInterrupted, message, interruption.Deadline), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// The cloud advises to leave the instance. The record remembers that it was told. Only a pod that somebody makes
    /// anew is moved, and only where that is wanted: most such instances run on.
    /// </summary>
    private async Task AdviseAsync(AgentEvent advice, CancellationToken cancellationToken)
    {
        if (Record.Reason is not null)
        {
            return;
        }

        if (!Interlocked.Exchange(ref _wasAdvised, true))
        {
            _cell.Publish(CellUpdateKind.PodEvent, advice); // the cloud and the agent may both tell
        }

        if (_context.Options.ReplacesAtRebalance
            && Record.State == CellState.Claimed
            && (_cell.Assignment?.Pod.Metadata.OwnerReferences ?? []).Exists(static o => o.Controller == true))
        {
            await LeaveAsync(new Leaving(CellRecord.RebalanceRecommended, $"the cloud advises to leave the instance: {advice.Message}", null), cancellationToken).ConfigureAwait(false);
            return;
        }

        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Record is { Reason: null, State: < CellState.Draining })
            {
                await StoreAsync(Record with { Reason = CellRecord.RebalanceRecommended, Message = advice.Message }, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task LeaveAsync(Leaving why, CancellationToken cancellationToken)
    {
        LogLeaving(Record.Id, why.Message);
        // Who is to replace it should not have the next one taken back too.
        _context.Refusals.Add(DriverErrorKind.OutOfCapacity, Record.InstanceType, Record.Zone, Record.CapacityType);
        await DrainAsync(null, why, cancellationToken).ConfigureAwait(false);
    }

    private async Task DrainAsync(TimeSpan? gracePeriod, Leaving? why, CancellationToken cancellationToken)
    {
        var grace = gracePeriod ?? (_cell.Assignment?.Pod.Spec.TerminationGracePeriodSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : DefaultGrace);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Record.State >= CellState.Terminating)
            {
                return;
            }

            var wanted = why is not null ? Record with { Reason = why.Reason, Message = why.Message }
                : Record is { Reason: CellRecord.RebalanceRecommended, State: < CellState.Draining } ? Record with { Reason = null, Message = null } // not why it ends
                : Record;
            if (Record.State < CellState.Claimed)
            {
                if (why is not null)
                {
                    await StoreAsync(wanted, cancellationToken).ConfigureAwait(false);
                }

                await _abandoned.CancelAsync().ConfigureAwait(false);
                return;
            }

            var deadline = Min(Now + grace + StopSlack, Min(Record.DrainDeadline, why?.Deadline));
            _overdue.CancelAfter(Max(deadline - Now, TimeSpan.Zero));
            await StoreAsync(wanted with { State = CellState.Draining, DrainDeadline = deadline }, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }

        await TellAsync(_cell.ConnectedAgent, static _ => false, cancellationToken).ConfigureAwait(false);
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

    private async Task ReachGoneAsync(CancellationToken cancellationToken)
    {
        await DetachEarlyAsync(cancellationToken).ConfigureAwait(false);
        await UnrouteAsync(cancellationToken).ConfigureAwait(false);
        var pause = FirstRetry;
        var absent = 0;
        // A launch whose answer was never seen may have taken effect: only the list tells, and only after a while.
        var isKnown = Record.InstanceId is not null && Record.Spare is not { InstanceId: null };
        var needed = isKnown ? 2 : 1;
        var asked = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            try
            {
                var known = new[] { Record.InstanceId, Record.Spare?.InstanceId }.OfType<string>().Except(asked).ToList();
                if (known.Count > 0)
                {
                    await TerminateAsync(known, cancellationToken).ConfigureAwait(false);
                    asked.UnionWith(known);
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
                var settled = isKnown || Now - Record.StateSince >= _context.Driver.Description.ListDelay;
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

        await DetachAsync(cancellationToken).ConfigureAwait(false);
        if (Record.Pod is not null)
        {
            await _context.Options.BeforeForgotten(_cell, cancellationToken).ConfigureAwait(false);
        }

        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        await _context.Store.DeleteAsync(Record, cancellationToken).ConfigureAwait(false);
        _cell.SetGone();
    }

    /// <summary>Why a cell is given up while its instance still runs.</summary>
    /// <param name="Reason">For the record and the pod.</param>
    /// <param name="Message">The same in a sentence.</param>
    /// <param name="Deadline">When the instance ends by itself; null when it does not.</param>
    private sealed record Leaving(string Reason, string Message, DateTimeOffset? Deadline);

    private Task TerminateAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        ChangeAsync(ct => _context.Driver.TerminateAsync(ids, ct), cancellationToken);
}
