using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>
/// The cells that wait for pods: gives them to pods, and sees to it that there are as many as <see cref="CellManagerOptions.StandbyCells"/>
/// says and as the demand of late asks for. Safe to use from many threads.
/// </summary>
/// <param name="context">What cells share.</param>
/// <param name="readCatalog">What the cloud offers.</param>
/// <param name="launch">Makes a cell without a pod and attends to it. The function that it is given names the next best after a refusal.</param>
internal sealed partial class StandbyPool(
    CellContext context,
    Func<CancellationToken, Task<InstanceCatalog>> readCatalog,
    Func<Candidate, StandbyPlan, Func<Candidate?>, CancellationToken, Task> launch)
{
    /// <summary>A pod takes no cell that costs more than this many times what a cell of its own would: it may run for long.</summary>
    private const int DearestFit = 2;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5); // what is not needed now may be in a moment, and a boot costs too
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromMinutes(10);

    private readonly ILogger _logger = context.Logger;
    private readonly ConcurrentDictionary<string, AttendedCell> _waiting = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly Demand _demand = new(context.Time);
    private readonly Dictionary<(string InstanceType, CapacityType CapacityType), (int Times, DateTimeOffset Until)> _failures = [];
    private readonly Alarm _changed = new(context.Time);

    /// <summary>The cells that wait.</summary>
    public ICollection<AttendedCell> Waiting => _waiting.Values;

    private CellManagerOptions Options => context.Options;

    private DateTimeOffset Now => context.Time.GetUtcNow();

    /// <summary>Takes up a cell without a pod.</summary>
    public void Add(AttendedCell cell) => _waiting[cell.Cell.Record.Id] = cell;

    /// <summary>A cell is no longer attended to.</summary>
    public void Remove(AttendedCell cell)
    {
        var record = cell.Cell.Record;
        if (!_waiting.TryRemove(record.Id, out _))
        {
            return;
        }

        if (!cell.IsRetired)
        {
            Failed((record.InstanceType, record.CapacityType), $"{record.Id}: {record.Message}");
        }

        _changed.Ring();
    }

    /// <summary>A cell has booted, for a pod or to wait for one.</summary>
    public void Enrolled(CellRecord record)
    {
        lock (_lock)
        {
            _demand.Booted(Now - record.CreatedAt);
            _failures.Remove((record.InstanceType, record.CapacityType));
        }
    }

    /// <summary>Gives a pod a cell that waits; null when none fits.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="assignment">What its agent is given.</param>
    /// <param name="request">What its cell must be.</param>
    /// <param name="chosen">What a cell of its own would be; null when there is none to be had.</param>
    /// <param name="catalog">What the cloud offers.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task<AttendedCell?> TakeAsync(
        PodReference pod, PodAssignment assignment, CellRequest request, Candidate? chosen, InstanceCatalog catalog, CancellationToken cancellationToken)
    {
        if (chosen is { } cold && Options.StandbyBudgetPerHour > 0)
        {
            lock (_lock)
            {
                _demand.Arrived(cold, new StandbyPlan(request, Images(assignment.Pod)));
            }
        }

        if (_waiting.IsEmpty)
        {
            _changed.Ring(); // there may be a demand now
            return null;
        }

        foreach (var (cell, _) in Fitting(request, chosen, catalog))
        {
            if (await cell.Reconciler.TryTakeAsync(pod, assignment, cancellationToken).ConfigureAwait(false))
            {
                _waiting.TryRemove(cell.Cell.Record.Id, out _);
                _changed.Ring();
                return cell;
            }
        }

        _changed.Ring();
        return null;
    }

    /// <summary>Keeps as many cells as are wanted until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await AdjustAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                LogAdjustFailed(e.Message); // the next round looks again
            }

            await Task.Delay(LeastPause, context.Time, cancellationToken).ConfigureAwait(false);
            await _changed.WaitAsync(Interval, cancellationToken).ConfigureAwait(false);
        }
    }

    // Those that are ready first, then those that will be soonest; the cheapest of them first.
    private IEnumerable<(AttendedCell Cell, Candidate Candidate)> Fitting(CellRequest request, Candidate? chosen, InstanceCatalog catalog)
    {
        var fitting = new List<(AttendedCell Cell, Candidate Candidate)>();
        foreach (var cell in _waiting.Values)
        {
            var record = cell.Cell.Record;
            if (cell.IsRetired
                || record.DiskBytes < request.DiskBytes
                || catalog.Find(record.InstanceType) is not { } type
                || type.Offerings.FirstOrDefault(o => o.Zone == record.Zone && o.CapacityType == record.CapacityType) is not { } offering
                || InstanceSelector.Fit(request, catalog, type, offering) is not { } candidate
                || candidate.PricePerHour > DearestFit * chosen?.PricePerHour)
            {
                continue;
            }

            fitting.Add((cell, candidate));
        }

        return fitting
            .OrderByDescending(static f => f.Cell.Cell.Record.State)
            .ThenBy(static f => f.Candidate, Comparer<Candidate>.Create(Candidate.Compare))
            .ThenBy(static f => f.Cell.Cell.Record.CreatedAt);
    }

    private async Task AdjustAsync(CancellationToken cancellationToken)
    {
        var now = Now;
        Dictionary<StandbyShape, (int Count, StandbyPlan Plan)> forecast;
        lock (_lock)
        {
            forecast = Options.StandbyBudgetPerHour > 0 ? _demand.Forecast(Options.StandbyBudgetPerHour) : [];
        }

        var fixedCells = Options.StandbyCells
            .DistinctBy(static c => (c.InstanceType, c.Count, c.CapacityType))
            .GroupBy(static c => (c.InstanceType, c.CapacityType))
            .ToList();
        if (forecast.Count == 0 && fixedCells.Count == 0 && _waiting.IsEmpty)
        {
            return;
        }

        // The furthest first: what is ready is kept, what has only begun goes.
        var young = _waiting.Values
            .Where(c => !c.IsRetired && now - c.Cell.Record.CreatedAt < Options.StandbyMaxAge - (2 * Options.BootTimeout))
            .OrderByDescending(static c => c.Cell.Record.State)
            .ThenBy(static c => c.Cell.Record.Id, StringComparer.Ordinal)
            .ToList();
        var kept = new HashSet<AttendedCell>();
        var missing = new List<(StandbyPlan Plan, StandbyShape? Shape)>();
        foreach (var (shape, (count, plan)) in forecast)
        {
            var there = young.Where(c => Shape(c) == shape).Take(count).ToList();
            kept.UnionWith(there);
            missing.AddRange(Enumerable.Repeat((plan, (StandbyShape?)shape), count - there.Count));
        }

        foreach (var cells in fixedCells)
        {
            bool IsOne(StandbyShape s) => (s.InstanceType, s.CapacityType) == cells.Key;
            var due = cells.Sum(static c => c.Count) - kept.Count(c => IsOne(Shape(c))) - missing.Count(m => m.Shape is { } shape && IsOne(shape));
            var there = young.Where(c => IsOne(Shape(c)) && !kept.Contains(c)).Take(Math.Max(due, 0)).ToList();
            kept.UnionWith(there);
            var plan = new StandbyPlan(Request(cells.Key.InstanceType, cells.Key.CapacityType), [.. cells.SelectMany(static c => c.Images).Distinct()]);
            missing.AddRange(Enumerable.Repeat((plan, (StandbyShape?)null), Math.Max(due - there.Count, 0)));
        }

        await RetireAsync(kept, missing.Count == 0 && kept.All(static c => c.Cell.Record.State == CellState.Ready), now, cancellationToken).ConfigureAwait(false);
        if (missing.Count > 0)
        {
            await LaunchAsync(missing, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task LaunchAsync(List<(StandbyPlan Plan, StandbyShape? Shape)> missing, CancellationToken cancellationToken)
    {
        var catalog = await readCatalog(cancellationToken).ConfigureAwait(false);
        foreach (var (plan, shape) in missing)
        {
            var request = plan.Request;
            var key = shape is { } known ? (known.InstanceType, known.CapacityType) : (request.InstanceType!, request.CapacityTypes[0]);
            lock (_lock)
            {
                if (_failures.TryGetValue(key, out var failure) && failure.Until > Now)
                {
                    continue;
                }
            }

            if (InstanceSelector.First(request, catalog, context.Refusals) is not { } chosen)
            {
                Failed(key, InstanceSelector.Explain(request, catalog, context.Refusals).Problem ?? "");
                continue;
            }

            // What was foreseen is this shape and no other: pods that get another one are a demand of their own.
            if (shape is null)
            {
                await launch(chosen, plan, () => InstanceSelector.First(request, catalog, context.Refusals), cancellationToken).ConfigureAwait(false);
            }
            else if (shape == new StandbyShape(chosen.Type.Name, chosen.Offering.Zone, chosen.Offering.CapacityType))
            {
                await launch(chosen, plan, static () => null, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private void Failed((string InstanceType, CapacityType CapacityType) key, string problem)
    {
        lock (_lock)
        {
            var times = _failures.GetValueOrDefault(key).Times;
            var pause = Min(FirstBackOff * Math.Pow(2, Math.Min(times, 10)), LongestBackOff);
            _failures[key] = (times + 1, Now + pause);
            LogFailed(key.InstanceType, problem, pause);
        }
    }

    private async Task RetireAsync(HashSet<AttendedCell> kept, bool isComplete, DateTimeOffset now, CancellationToken cancellationToken)
    {
        foreach (var cell in _waiting.Values.Where(static c => !c.IsRetired))
        {
            if (kept.Contains(cell))
            {
                cell.UnneededSince = null;
                continue;
            }

            cell.UnneededSince ??= now;
            var age = now - cell.Cell.Record.CreatedAt;
            var isOld = age >= Options.StandbyMaxAge - (2 * Options.BootTimeout);
            if (isOld ? isComplete || age >= Options.StandbyMaxAge : now - cell.UnneededSince >= Patience)
            {
                LogRetired(cell.Cell.Record.Id, cell.Cell.Record.InstanceType, isOld ? "it is old" : "no pod is expected for it");
                cell.IsRetired = true;
                await cell.Reconciler.RetireAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static List<string> Images(Pod pod) =>
        [.. (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers).Select(static c => c.Image).OfType<string>().Distinct()];

    private CellRequest Request(string instanceType, CapacityType capacityType) => new()
    {
        Pod = new ResourceRequest(0, 0, 0),
        Overhead = Options.CellOverhead,
        InstanceType = instanceType,
        CapacityTypes = [capacityType],
        AllowsPreviousGenerations = true,
        CapacitySource = $"standby cells, {WellKnownLabels.Name(capacityType)}",
    };

    private static StandbyShape Shape(AttendedCell cell) =>
        new(cell.Cell.Record.InstanceType, cell.Cell.Record.Zone, cell.Cell.Record.CapacityType);

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

    [LoggerMessage(60, LogLevel.Warning, "No standby cell of type {InstanceType}: {Problem}; the next one is tried in {Pause}")]
    private partial void LogFailed(string instanceType, string problem, TimeSpan pause);

    [LoggerMessage(61, LogLevel.Warning, "Standby cells could not be looked after: {Problem}")]
    private partial void LogAdjustFailed(string problem);

    [LoggerMessage(62, LogLevel.Information, "Standby cell {CellId} ({InstanceType}) is ended: {Why}")]
    private partial void LogRetired(string cellId, string instanceType, string why);
}
