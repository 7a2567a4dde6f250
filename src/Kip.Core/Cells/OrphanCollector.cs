using Kip.Drivers;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>
/// Finds the instances that carry this controller's tag and are in no record, says so, and ends those that were seen so for the grace
/// period. What does not carry the tag is not even listed. Not safe for use from many threads.
/// </summary>
internal sealed partial class OrphanCollector(CellContext context)
{
    private readonly ILogger _logger = context.Logger;
    private readonly Dictionary<string, DateTimeOffset> _seen = new(StringComparer.Ordinal);

    /// <summary>Looks once, at a list of its own.</summary>
    /// <returns>The instances in no record, and the records.</returns>
    public async Task<(IReadOnlyList<Instance> Orphans, IReadOnlyCollection<CellRecord> Records)> FindAsync(CancellationToken cancellationToken) =>
        await FindAsync(await context.Driver.ListAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);

    /// <remarks>
    /// Instances first, records second: a record is durable before its launch and deleted only after its instance was seen to have ended, so
    /// an instance that is in no record that is read later belongs to nobody.
    /// </remarks>
    private async Task<(IReadOnlyList<Instance> Orphans, IReadOnlyCollection<CellRecord> Records)> FindAsync(IReadOnlyList<Instance> instances, CancellationToken cancellationToken)
    {
        var records = (await context.Store.ListAsync(cancellationToken).ConfigureAwait(false)).ToDictionary(static r => r.Id, StringComparer.Ordinal);
        return ([.. instances.Where(i => i.State < InstanceState.Terminating && !IsOwned(i))], records.Values);

        bool IsOwned(Instance instance) => instance.Tags.TryGetValue(InstanceTags.CellId, out var cell)
            && records.TryGetValue(cell, out var record)
            && record.Owns(instance.Id);
    }

    /// <summary>Looks at the next list that is made for the cells too, and ends what is due.</summary>
    /// <returns>The records.</returns>
    public async Task<IReadOnlyCollection<CellRecord>> CollectAsync(CancellationToken cancellationToken)
    {
        var listed = await context.Watcher.NextAsync(eager: false, cancellationToken).ConfigureAwait(false);
        var now = context.Time.GetUtcNow();
        var (orphans, records) = await FindAsync(listed.All, cancellationToken).ConfigureAwait(false);
        foreach (var gone in _seen.Keys.Except(orphans.Select(static o => o.Id)).ToList())
        {
            _seen.Remove(gone);
        }

        var due = new List<string>();
        foreach (var orphan in orphans)
        {
            if (_seen.TryAdd(orphan.Id, now))
            {
                Tell(orphan);
            }
            else if (now - _seen[orphan.Id] >= context.Options.OrphanGracePeriod)
            {
                due.Add(orphan.Id);
            }
        }

        if (due.Count > 0 && context.Options.TerminatesOrphans)
        {
            LogEnded(string.Join(", ", due));
            await context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
            await context.Driver.TerminateAsync(due, cancellationToken).ConfigureAwait(false);
        }

        return records;
    }

    private void Tell(Instance orphan)
    {
        var of = orphan.Tags.GetValueOrDefault(InstanceTags.PodName) is { } pod ? $"pod {orphan.Tags.GetValueOrDefault(InstanceTags.PodNamespace)}/{pod}" : "no pod";
        LogFound(
            orphan.Id,
            orphan.Tags.GetValueOrDefault(InstanceTags.CellId, "no cell"),
            of,
            context.Options.TerminatesOrphans ? $"it is terminated if that is still so in {context.Options.OrphanGracePeriod.TotalSeconds:0} s" : "it is left alone");
    }

    [LoggerMessage(70, LogLevel.Warning, "Instance {Instance} carries this controller's tag and is in no record ({Cell}, {Pod}); {Consequence}")]
    private partial void LogFound(string instance, string cell, string pod, string consequence);

    [LoggerMessage(71, LogLevel.Warning, "Instances in no record are terminated: {Instances}")]
    private partial void LogEnded(string instances);
}
