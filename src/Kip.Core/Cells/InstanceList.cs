using Kip.Drivers;

namespace Kip.Cells;

/// <summary>One answer of the cloud, shared by all cells that wait for it: each finds its own without looking at the others.</summary>
internal sealed class InstanceList(IReadOnlyList<Instance> instances)
{
    private readonly Lazy<Dictionary<string, Instance>> _byId = new(() =>
    {
        var byId = new Dictionary<string, Instance>(instances.Count, StringComparer.Ordinal);
        foreach (var instance in instances)
        {
            byId.TryAdd(instance.Id, instance);
        }

        return byId;
    });

    private readonly Lazy<ILookup<string, Instance>> _byCell = new(() =>
        instances.Where(static i => i.Tags.ContainsKey(InstanceTags.CellId)).ToLookup(static i => i.Tags[InstanceTags.CellId], StringComparer.Ordinal));

    public IReadOnlyList<Instance> All => instances;

    public Instance? Find(string? id) => id is null ? null : _byId.Value.GetValueOrDefault(id);

    /// <summary>All that are a cell's: the one it knows, and any that was launched for it without its knowing.</summary>
    public IReadOnlyList<Instance> OfCell(CellRecord cell)
    {
        var tagged = _byCell.Value[cell.Id];
        return Find(cell.InstanceId) is { } known ? [known, .. tagged.Where(i => i.Id != known.Id)] : [.. tagged];
    }
}
