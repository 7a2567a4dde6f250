using System.Collections.Concurrent;
using System.Security.Cryptography;
using Kip.Agents;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Pacing;
using Kip.Pods;
using Kip.Sizing;
using Kip.Sizing.Compatibility;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>
/// Gives each pod a cell of its own and looks after it to its end. Start it once, then hand it pods; when it is disposed of, the cells
/// go on, and the next manager with the same owner takes them up. Safe to use from many threads.
/// </summary>
public sealed partial class CellManager : IAsyncDisposable
{
    private readonly CellContext _context;
    private readonly CatalogCache _catalog;
    private readonly ILogger<CellManager> _logger;
    private readonly ConcurrentDictionary<string, AttendedCell> _byPod = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> _beingGiven = new(StringComparer.Ordinal); // UIDs of pods
    private readonly StandbyPool _standby;
    private readonly ConcurrentDictionary<string, AttendedCell> _duplicates = new(StringComparer.Ordinal); // by id: their pods have other cells
    private readonly OrphanCollector _collector;
    private readonly InterruptionFeed? _interruptions;
    private readonly CancellationTokenSource _lifetime = new();
    private readonly List<Task> _loops = [];
    private int _disposed;

    /// <summary>Makes a manager; <see cref="StartAsync(CancellationToken)"/> sets it to work.</summary>
    public CellManager(
        CellManagerOptions options,
        ICellDriver driver,
        ICellStore store,
        ICellAgentConnector agents,
        TimeProvider time,
        ILogger<CellManager> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(driver);
        _logger = logger;
        var paced = new PacedDriver(driver, options.CloudCallTimeout, time, logger);
        var watcher = new InstanceWatcher(paced, options.CloudCallTimeout, options.ObserveInterval, time, logger);
        _context = new CellContext(options, paced, store, agents, watcher, new RefusalCache(time), time, Random.Shared, logger)
        {
            Logins = new CloudLogins(driver as IRegistryLogins, time),
            Enrolled = record => _standby!.Enrolled(record),
        };
        _catalog = new CatalogCache(paced, time, logger, _lifetime.Token);
        _collector = new OrphanCollector(_context);
        _interruptions = driver is IInterruptionSource source ? new InterruptionFeed(source, FindByInstance, time, logger) : null;
        _standby = new StandbyPool(_context, _catalog.GetAsync, AddStandbyAsync);
    }

    /// <summary>Told of cells that are found and taken up while this runs: a process of the same owner wrote their records late.</summary>
    public event Action<Cell>? TakenUp;

    /// <summary>The cells of pods that this manager looks after.</summary>
    public IReadOnlyCollection<Cell> Cells => _byPod.Values.Select(static e => e.Cell).ToList();

    /// <summary>The cells that wait for a pod, or boot to do so.</summary>
    public IReadOnlyCollection<CellRecord> Standby => _standby.Waiting.Select(static e => e.Cell.Record).ToList();

    internal BootTimes Boots => _context.Boots;

    /// <summary>The cell of a pod; null when it has none, or none any more.</summary>
    /// <param name="podUid">UID of the pod.</param>
    public Cell? Find(string podUid) => _byPod.TryGetValue(podUid, out var attended) ? attended.Cell : null;

    /// <summary>
    /// Reads what the first pod would have to wait for otherwise: the catalog, the image. A cloud that cannot be asked is no failure; it is
    /// asked again when it is needed. Changes nothing, and may be called before <see cref="StartAsync(bool, CancellationToken)"/>.
    /// </summary>
    public async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _catalog.GetAsync(cancellationToken).ConfigureAwait(false);
            await _context.Driver.ResolveImageAsync(_context.Options.Image, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever a driver throws.
            LogNotWarm(e.Message);
        }
    }

    /// <summary>Takes up the cells that an earlier process of the same owner left, and begins to look after instances.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => StartAsync(supersede: false, cancellationToken);

    /// <summary>Takes up the cells that an earlier process of the same owner left, and begins to look after instances.</summary>
    /// <param name="supersede">
    /// Whether that process may still be under way, cut off. Every record is written anew then, so that the store refuses what it still
    /// writes.
    /// </param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task StartAsync(bool supersede, CancellationToken cancellationToken)
    {
        foreach (var record in (await ListOwnAsync(supersede, cancellationToken).ConfigureAwait(false)).OrderBy(TakeUpOrder))
        {
            await TakeUpAsync(record, cancellationToken).ConfigureAwait(false);
        }

        _loops.Add(_catalog.GetAsync(_lifetime.Token)); // the first pod need not wait for it; if it cannot be read, it will hear why
        _loops.Add(_context.Watcher.RunAsync(_lifetime.Token));
        _loops.Add(CollectOrphansAsync(_lifetime.Token));
        _loops.Add(_standby.RunAsync(_lifetime.Token));
        if (_interruptions is not null)
        {
            _loops.Add(_interruptions.RunAsync(_lifetime.Token));
        }
    }

    /// <summary>
    /// Gives a pod its cell. Returns once the intent is durable; the cell then goes its way. A pod that has a cell already, known by its
    /// UID, keeps it and is given this newer version.
    /// </summary>
    /// <param name="pod">The pod, with name, namespace and UID.</param>
    /// <param name="cancellationToken">Ends the call, not the pod.</param>
    /// <exception cref="CellException">The pod asks for what cannot be, or no instance type fits; the message says what was asked for and what there is.</exception>
    /// <exception cref="CellConflictException">Another owner has a cell for this pod.</exception>
    /// <exception cref="DriverException">The catalog cannot be read.</exception>
    public Task<Cell> RunPodAsync(Pod pod, CancellationToken cancellationToken) =>
        RunPodAsync(new PodAssignment(pod, PodAddress: null, Credentials: []), cancellationToken);

    /// <summary>
    /// The same for a pod with what was resolved for it. Of the assignment only the pod's identity and needs become durable; the address
    /// is the cell's affair, and <see cref="CellManagerOptions.Credentials"/> are tried after its own.
    /// </summary>
    /// <param name="assignment">The pod, with name, namespace and UID.</param>
    /// <param name="cancellationToken">Ends the call, not the pod.</param>
    /// <exception cref="CellException">The pod asks for what cannot be, or no instance type fits; the message says what was asked for and what there is.</exception>
    /// <exception cref="CellConflictException">Another owner has a cell for this pod.</exception>
    /// <exception cref="DriverException">The catalog cannot be read.</exception>
    public async Task<Cell> RunPodAsync(PodAssignment assignment, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(assignment);
        var pod = assignment.Pod;
        var reference = new PodReference(
            pod.Metadata.Namespace ?? throw new ArgumentException("the pod has no namespace", nameof(assignment)),
            pod.Metadata.Name ?? throw new ArgumentException("the pod has no name", nameof(assignment)),
            pod.Metadata.Uid ?? throw new ArgumentException("the pod has no UID", nameof(assignment)));
        if (_byPod.TryGetValue(reference.Uid, out var known))
        {
            await known.Reconciler.AssignAsync(assignment, cancellationToken).ConfigureAwait(false);
            return known.Cell;
        }

        if (!_beingGiven.TryAdd(reference.Uid, 0))
        {
            throw new CellConflictException($"pod {reference} is being given a cell already");
        }

        try
        {
            return await GiveCellAsync(reference, assignment, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _beingGiven.TryRemove(reference.Uid, out _);
        }
    }

    /// <summary>
    /// Ends what nobody looks after any more: the cells whose records <paramref name="isAbandoned"/> picks, and instances that carry this
    /// controller's tag but are in no record. Returns when they are gone.
    /// </summary>
    /// <param name="isAbandoned">Must be true only for records whose owner will never come back.</param>
    /// <param name="cancellationToken">Ends the call; what was begun goes on at the next.</param>
    /// <returns>The cells that were ended, and the identifiers of the instances without a record that were terminated.</returns>
    public async Task<(IReadOnlyList<CellRecord> Cells, IReadOnlyList<string> Instances)> CollectAsync(
        Func<CellRecord, bool> isAbandoned, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(isAbandoned);
        List<string> orphans = _context.Options.TerminatesOrphans
            ? [.. (await _collector.FindAsync(cancellationToken).ConfigureAwait(false)).Orphans.Select(static o => o.Id)]
            : [];
        // Also with none: a driver may then remove what is left of launches that never came to be an instance.
        await _context.Driver.TerminateAsync(orphans, cancellationToken).ConfigureAwait(false);
        var ended = new List<CellRecord>();
        var endings = new List<Task>();
        foreach (var record in await _context.Store.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!isAbandoned(record))
            {
                continue;
            }

            try
            {
                var taken = record.State >= CellState.Terminating
                    ? record
                    : await _context.Store.UpdateAsync(
                        record with
                        {
                            State = CellState.Terminating,
                            StateSince = _context.Time.GetUtcNow(),
                            Reason = "Abandoned",
                            Message = $"its owner {record.Owner} is gone",
                        },
                        cancellationToken).ConfigureAwait(false);
                ended.Add(taken);
                endings.Add(Attend(new Cell(taken, null, _context.Time), static () => null).Gone);
            }
            catch (CellConflictException e)
            {
                LogCollectedElsewhere(record.Id, e.Message);
            }
        }

        await Task.WhenAll(endings).WaitAsync(cancellationToken).ConfigureAwait(false);
        return (ended, orphans);
    }

    /// <summary>Stops looking after the cells; they go on.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
        {
            return;
        }

        await _lifetime.CancelAsync().ConfigureAwait(false);
        var running = _loops.Concat(Attended.Select(static e => e.Running)).ToList();
        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _context.Driver.Dispose();
        _lifetime.Dispose();
    }

    internal static string NewLaunchToken() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    private async Task<Cell> GiveCellAsync(PodReference pod, PodAssignment assignment, CancellationToken cancellationToken)
    {
        var catalog = await _catalog.GetAsync(cancellationToken).ConfigureAwait(false);
        var request = VolumePlacement.Place(
            ReadRequest(assignment.Pod, catalog), assignment.PersistentVolumes, _context.Driver.Volumes, _context.Driver.Description.Name);
        var chosen = InstanceSelector.First(request, catalog, _context.Refusals);
        // A cell that waits was launched without what this pod asks of its launch.
        if (request.Options is null && await _standby.TakeAsync(pod, assignment, request, chosen, catalog, cancellationToken).ConfigureAwait(false) is { } taken)
        {
            _byPod[pod.Uid] = taken;
            if (taken.Running.IsCompleted)
            {
                Forget(taken);
            }

            return taken.Cell;
        }

        var planned = Plan(chosen ?? throw NothingFits(request, catalog), request, pod);
        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        var record = await _context.Store.AddAsync(planned, cancellationToken).ConfigureAwait(false);
        return Attend(new Cell(record, assignment, _context.Time), () => InstanceSelector.First(request, catalog, _context.Refusals));
    }

    private async Task AddStandbyAsync(Candidate chosen, StandbyPlan plan, Func<Candidate?> nextCandidate, CancellationToken cancellationToken)
    {
        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        var record = await _context.Store.AddAsync(Plan(chosen, plan.Request, null), cancellationToken).ConfigureAwait(false);
        Attend(new Cell(record, null, _context.Time) { Images = plan.Images }, nextCandidate);
    }

    private CellRecord Plan(Candidate chosen, CellRequest request, PodReference? pod)
    {
        var now = _context.Time.GetUtcNow();
        return new CellRecord
        {
            Id = pod is null ? CellName.Random() : CellName.Of(pod.Uid),
            Owner = _context.Options.Owner,
            State = CellState.Planned,
            StateSince = now,
            CreatedAt = now,
            Pod = pod,
            LaunchToken = NewLaunchToken(),
            InstanceType = chosen.Type.Name,
            AttachedGpus = chosen.AttachedGpus,
            Zone = chosen.Offering.Zone,
            CapacityType = chosen.Offering.CapacityType,
            PricePerHour = chosen.PricePerHour,
            DiskBytes = request.DiskBytes,
            Options = request.Options,
        };
    }

    private IEnumerable<AttendedCell> Attended => _byPod.Values.Concat(_standby.Waiting).Concat(_duplicates.Values);

    private CellReconciler? FindByInstance(string instanceId) => Attended.FirstOrDefault(a => a.Cell.Record.InstanceId == instanceId)?.Reconciler;

    private Cell Attend(Cell cell, Func<Candidate?> nextCandidate)
    {
        cell.SetRecord(cell.Record);
        var attended = new AttendedCell(cell, new CellReconciler(cell, _context, nextCandidate));
        if (cell.Record.Pod is { } pod)
        {
            _byPod[pod.Uid] = attended;
        }
        else
        {
            _standby.Add(attended);
        }

        attended.Running = RunAsync(attended);
        return cell;
    }

    private CellRequest ReadRequest(Pod pod, InstanceCatalog catalog)
    {
        var request = PodRequirements.Read(pod, out var errors, out _);
        if (errors.Count > 0)
        {
            throw new CellException("InvalidPod", string.Join("; ", errors));
        }

        if (request.DedicatedHost && !_context.Driver.Description.HasDedicatedHosts)
        {
            // Better no cell than one beside others.
            throw new CellException("Unsupported", $"{PodAnnotations.Prefix}launch-type: dedicated hosts are not to be had from {_context.Driver.Description.Name}");
        }

        request = request with { Overhead = _context.Options.CellOverhead };
        return _context.Options.SizingRule == SizingRule.Kubernetes
            ? request
            : GoKipSelector.Name(request, pod, _context.Options.DefaultInstanceType, catalog)
                ?? throw new CellException("NoInstanceType", "no instance type has what the pod asks for, by the rule of the Go Kip");
    }

    private static CellException NothingFits(CellRequest request, InstanceCatalog catalog)
    {
        var refused = InstanceSelector.Rank(request, catalog);
        return refused.Count == 0
            ? new CellException("NoInstanceType", InstanceSelector.Explain(request, catalog).Problem!)
            : new CellException(
                "OutOfCapacity",
                $"the cloud has refused all {refused.Count} ways to have this cell within the last minutes, {refused[0].Type.Name} first; they are tried again when that is longer ago");
    }

    private async Task RunAsync(AttendedCell attended)
    {
        await Task.Yield();
        await attended.Reconciler.RunAsync(_lifetime.Token).ConfigureAwait(false);
        if (!_lifetime.IsCancellationRequested)
        {
            Forget(attended);
        }
    }

    private void Forget(AttendedCell attended)
    {
        _standby.Remove(attended);
        _duplicates.TryRemove(new KeyValuePair<string, AttendedCell>(attended.Cell.Record.Id, attended));
        if (attended.Cell.Record.Pod is { } pod)
        {
            _byPod.TryRemove(new KeyValuePair<string, AttendedCell>(pod.Uid, attended));
        }
    }

    [LoggerMessage(45, LogLevel.Information, "The cloud cannot be asked yet: {Problem}")]
    private partial void LogNotWarm(string problem);

    [LoggerMessage(42, LogLevel.Information, "{CellId} is ended by another process: {Detail}")]
    private partial void LogCollectedElsewhere(string cellId, string detail);
}
