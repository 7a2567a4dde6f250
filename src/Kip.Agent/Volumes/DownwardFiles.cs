using System.Text;
using Kip.Agent.Pods;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Volumes;

/// <summary>Fields of the pod and resources of its containers as files (<c>downwardAPI</c>, alone or projected).</summary>
internal static class DownwardFiles
{
    /// <summary>The mode of files when nothing is said.</summary>
    private const int DefaultMode = 0b110_100_100;

    /// <summary>The files of one volume; none when it has no such source.</summary>
    public static IEnumerable<VolumeFile> Of(Volume volume, Pod pod, string podIP, Cell cell)
    {
        if (volume.DownwardAPI is { } source)
        {
            return Files(source.Items, source.DefaultMode);
        }

        return (volume.Projected?.Sources ?? []).SelectMany(each => Files(each.DownwardAPI?.Items, volume.Projected!.DefaultMode));

        IEnumerable<VolumeFile> Files(List<DownwardApiVolumeFile>? items, int? defaultMode) => (items ?? []).Select(item => new VolumeFile(
            item.Path, Encoding.UTF8.GetBytes(Value(item, pod, podIP, cell)), item.Mode ?? defaultMode ?? DefaultMode));
    }

    private static string Value(DownwardApiVolumeFile item, Pod pod, string podIP, Cell cell)
    {
        if (item.FieldRef is { } field)
        {
            return FieldReference.Resolve(field.FieldPath, pod, podIP, cell.HostIP);
        }

        var resource = item.ResourceFieldRef!;
        var container = pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).FirstOrDefault(each => each.Name == resource.ContainerName)
            ?? throw new VolumeException($"resourceFieldRef of {item.Path}: the pod has no container '{resource.ContainerName}'");
        return ResourceReference.Resolve(resource, container, cell);
    }
}
