using System.Collections.Concurrent;
using Kip.Drivers;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <content>What earlier processes of the same owner left: their cells, at the start and when they are found late, and instances in no record.</content>
public sealed partial class CellManager
{
    private const int SupersedingCalls = 16;

    private HashSet<string> _straysSeen = [];

    private async Task<IReadOnlyList<CellRecord>> ListOwnAsync(bool supersede, CancellationToken cancellationToken)
    {
        var superseded = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        while (true)
        {
            var own = (await _context.Store.ListAsync(cancellationToken).ConfigureAwait(false)).Where(r => r.Owner == _context.Options.Owner).ToList();
            var open = own.Where(r => supersede && (!superseded.TryGetValue(r.Id, out var version) || version != r.Version)).ToList();
            if (open.Count == 0)
            {
                return own;
            }

            await Parallel.ForEachAsync(
                open,
                new ParallelOptions { MaxDegreeOfParallelism = SupersedingCalls, CancellationToken = cancellationToken },
                async (record, ct) =>
                {
                    try
                    {
                        await _context.Options.BeforeEffect(ct).ConfigureAwait(false);
                        superseded[record.Id] = (await _context.Store.UpdateAsync(record, ct).ConfigureAwait(false)).Version;
                    }
                    catch (CellConflictException)
                    {
                        // The other process wrote once more between list and change: what it wrote is looked at in the next round.
                    }
                }).ConfigureAwait(false);
        }
    }

    // Of two cells of one pod the one that is further on is taken up first, and stays.
    private static int TakeUpOrder(CellRecord record) => record.State < CellState.Terminating ? -(int)record.State : 1;

    private async Task<Cell?> TakeUpAsync(CellRecord record, CancellationToken cancellationToken)
    {
        if (record.Pod is not { } pod || !_byPod.TryGetValue(pod.Uid, out var known))
        {
            return Attend(new Cell(record, null, _context.Time), static () => null);
        }

        LogDuplicate(record.Id, pod, known.Cell.Record.Id);
        if (record.State < CellState.Terminating)
        {
            await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
            record = await _context.Store.UpdateAsync(
                record with
                {
                    State = CellState.Terminating,
                    StateSince = _context.Time.GetUtcNow(),
                    Reason = "Duplicate",
                    Message = $"pod {pod} has cell {known.Cell.Record.Id}",
                },
                cancellationToken).ConfigureAwait(false);
        }

        var cell = new Cell(record, null, _context.Time);
        var duplicate = new AttendedCell(cell, new CellReconciler(cell, _context, static () => null));
        _duplicates[record.Id] = duplicate;
        duplicate.Running = RunAsync(duplicate);
        return null;
    }

    // Seen twice, a round apart: a record that was added or deleted just now is not one that nobody attends.
    private async Task TakeUpStraysAsync(IEnumerable<CellRecord> records, CancellationToken cancellationToken)
    {
        var attended = Attended.Select(static a => a.Cell.Record.Id).ToHashSet(StringComparer.Ordinal);
        var strays = records.Where(r => r.Owner == _context.Options.Owner && !attended.Contains(r.Id)).ToList();
        var seen = _straysSeen;
        _straysSeen = strays.Select(static r => r.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var record in strays.Where(r => seen.Contains(r.Id)))
        {
            LogStray(record.Id, record.State);
            if (await TakeUpAsync(record, cancellationToken).ConfigureAwait(false) is { Record.Pod: not null } cell)
            {
                TakenUp?.Invoke(cell);
            }
        }
    }

    private async Task CollectOrphansAsync(CancellationToken cancellationToken)
    {
        var grace = _context.Options.OrphanGracePeriod;
        while (true)
        {
            await Task.Delay(grace / 2, _context.Time, cancellationToken).ConfigureAwait(false);
            try
            {
                var records = await _collector.CollectAsync(cancellationToken).ConfigureAwait(false);
                await TakeUpStraysAsync(records, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                LogCollectFailed(e.Message); // the next round looks again
            }
        }
    }

    [LoggerMessage(41, LogLevel.Warning, "Looking for instances in no record failed: {Problem}")]
    private partial void LogCollectFailed(string problem);

    [LoggerMessage(46, LogLevel.Warning, "{CellId} is {State} and nobody attends it: an earlier host wrote its record late; it is taken up")]
    private partial void LogStray(string cellId, CellState state);

    [LoggerMessage(44, LogLevel.Warning, "{CellId} is ended: its pod {Pod} has {Other}")]
    private partial void LogDuplicate(string cellId, PodReference pod, string other);
}
