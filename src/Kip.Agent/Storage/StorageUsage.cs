namespace Kip.Agent.Storage;

/// <summary>What a pod takes of the cell's disk, in bytes.</summary>
/// <param name="Volumes">Its <c>emptyDir</c> volumes on the disk, by name.</param>
/// <param name="Containers">What its containers wrote outside volumes, and their logs, by name.</param>
internal sealed record StorageUsage(IReadOnlyDictionary<string, long> Volumes, IReadOnlyDictionary<string, long> Containers)
{
    public long Total => Volumes.Values.Sum() + Containers.Values.Sum();
}
