using System.Collections.Concurrent;
using Ec2Instance = Amazon.EC2.Model.Instance;

namespace Kip.Drivers.Aws;

/// <summary>Reads instances as EC2 describes them.</summary>
internal static class AwsInstances
{
    /// <summary>The instance; null when EC2 says less of it than must be known.</summary>
    public static Instance? Map(Ec2Instance instance, bool connectToPublicAddress) =>
        instance is { InstanceId: { } id, InstanceType: { } type, Placement.AvailabilityZone: { } zone }
            ? new Instance
            {
                Id = id,
                State = MapState(instance.State?.Name?.Value),
                InstanceType = type,
                Zone = zone,
                CapacityType = instance.InstanceLifecycle == "spot" ? CapacityType.Spot : CapacityType.OnDemand,
                Address = connectToPublicAddress ? instance.PublicIpAddress : instance.PrivateIpAddress,
                PodAddress = instance.NetworkInterfaces?
                    .SelectMany(static network => network.PrivateIpAddresses ?? [])
                    .FirstOrDefault(static address => address.Primary == false)?.PrivateIpAddress,
                Tags = (instance.Tags ?? []).ToDictionary(static tag => tag.Key, static tag => tag.Value, StringComparer.Ordinal),
                LaunchedAt = new DateTimeOffset(instance.LaunchTime ?? DateTime.UnixEpoch),
                StateReason = Explain(instance),
            }
            : null;

    /// <summary>A cell is never stopped by Kip: one that somebody else stops is over, and is terminated.</summary>
    private static InstanceState MapState(string? state) => state switch
    {
        "pending" => InstanceState.Pending,
        "running" => InstanceState.Running,
        "terminated" => InstanceState.Terminated,
        _ => InstanceState.Terminating,
    };

    private static string? Explain(Ec2Instance instance) => instance.State?.Name?.Value switch
    {
        "pending" or "running" => null,
        _ => instance.StateReason?.Message ?? instance.StateTransitionReason,
    };
}

/// <summary>The instances that are known to carry this controller's tag: EC2 need not be asked again before they are terminated.</summary>
internal sealed class OwnInstances(TimeProvider timeProvider, TimeSpan listDelay)
{
    private readonly ConcurrentDictionary<string, long> _seen = new(StringComparer.Ordinal);

    public bool Contains(string id) => _seen.ContainsKey(id);

    public void Add(string id) => _seen[id] = timeProvider.GetTimestamp();

    /// <summary>Takes a complete list. What is not in it is forgotten, unless it was launched so lately that it may be missing.</summary>
    public void Replace(IEnumerable<Instance> listed)
    {
        var ids = listed.Select(static instance => instance.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var (id, seenAt) in _seen)
        {
            if (!ids.Contains(id) && timeProvider.GetElapsedTime(seenAt) > listDelay)
            {
                _seen.TryRemove(id, out _);
            }
        }

        foreach (var id in ids)
        {
            Add(id);
        }
    }
}
