using Kip.Cells;

namespace Kip.Testing;

/// <summary>
/// Cell records in memory, for simulations of many cells; it is durable as long as the object lives, which may be longer than any manager
/// over it. Safe to use from many threads.
/// </summary>
public sealed class MemoryCellStore : ICellStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, CellRecord> _records = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _cellByPod = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public Task<IReadOnlyList<CellRecord>> ListAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<CellRecord>>([.. _records.Values]);
        }
    }

    /// <inheritdoc/>
    public Task<CellRecord> AddAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        cancellationToken.ThrowIfCancellationRequested();
        var added = record with { Version = 1 };
        lock (_gate)
        {
            if (_records.ContainsKey(record.Id) || (record.Pod is { } pod && !_cellByPod.TryAdd(pod.Uid, record.Id)))
            {
                throw new CellConflictException($"the store has a cell {record.Id} or a cell for pod {record.Pod} (UID {record.Pod?.Uid}) already");
            }

            _records.Add(record.Id, added);
        }

        return Task.FromResult(added);
    }

    /// <inheritdoc/>
    public Task<CellRecord> UpdateAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        cancellationToken.ThrowIfCancellationRequested();
        var updated = record with { Version = record.Version + 1 };
        lock (_gate)
        {
            if (!_records.TryGetValue(record.Id, out var present) || present.Version != record.Version)
            {
                throw new CellConflictException($"cell {record.Id} was changed by another since version {record.Version}, or is gone");
            }

            if (record.Pod is { } pod && _cellByPod.GetValueOrDefault(pod.Uid, record.Id) != record.Id)
            {
                throw new CellConflictException($"the store has another cell for pod {pod}");
            }

            if (present.Pod is { } before)
            {
                _cellByPod.Remove(before.Uid);
            }

            if (record.Pod is { } after)
            {
                _cellByPod[after.Uid] = record.Id;
            }

            _records[record.Id] = updated;
        }

        return Task.FromResult(updated);
    }

    /// <inheritdoc/>
    public Task DeleteAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_records.TryGetValue(record.Id, out var present) && present.Version != record.Version)
            {
                throw new CellConflictException($"cell {record.Id} was changed by another since version {record.Version}");
            }

            if (_records.Remove(record.Id) && present?.Pod is { } pod)
            {
                _cellByPod.Remove(pod.Uid);
            }
        }

        return Task.CompletedTask;
    }
}
