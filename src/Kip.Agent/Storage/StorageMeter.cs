using Kip.Agent.Pods;
using Kip.Agent.Runtime;
using Kip.Agent.Volumes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Storage;

/// <summary>Measures what a pod takes of the cell's disk.</summary>
internal sealed class StorageMeter(ICriRuntime runtime, PodVolumes volumes, Cell cell)
{
    /// <exception cref="Grpc.RpcException">The runtime does not answer.</exception>
    /// <exception cref="IOException">Something cannot be read.</exception>
    public async Task<StorageUsage> MeasureAsync(Pod pod, CancellationToken cancellationToken)
    {
        var containers = new Dictionary<string, long>(StringComparer.Ordinal);
        if (StorageLimits.HasContainerLimits(pod))
        {
            var labels = new Dictionary<string, string> { [PodIdentity.PodUidLabel] = PodIdentity.Uid(pod) };
            foreach (var stats in await runtime.ListContainerStatsAsync(labels, cancellationToken))
            {
                if (stats.Attributes?.Metadata?.Name is { } name)
                {
                    containers[name] = containers.GetValueOrDefault(name) + (long)(stats.WritableLayer?.UsedBytes?.Value ?? 0);
                }
            }

            var logs = PodIdentity.LogDirectory(cell.LogDirectory, pod);
            foreach (var container in pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []))
            {
                containers[container.Name] = containers.GetValueOrDefault(container.Name) + DiskUsage.Of(Path.Combine(logs, container.Name), cancellationToken);
            }
        }

        var disks = (pod.Spec.Volumes ?? [])
            .Where(static volume => volume.EmptyDir is { Medium: null or "" })
            .ToDictionary(static volume => volume.Name, volume => DiskUsage.Of(volumes.DirectoryOf(pod, volume), cancellationToken), StringComparer.Ordinal);
        return new StorageUsage(disks, containers);
    }
}
