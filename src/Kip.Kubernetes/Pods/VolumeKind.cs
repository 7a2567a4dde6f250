using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>What kind a volume is.</summary>
public static class VolumeKind
{
    /// <summary>The fields of the sources that are set: one for a good volume, none for an empty directory.</summary>
    public static IReadOnlyList<string> SourcesOf(Volume volume)
    {
        ArgumentNullException.ThrowIfNull(volume);
        (string Name, bool IsSet)[] sources =
        [
            ("hostPath", volume.HostPath is not null),
            ("emptyDir", volume.EmptyDir is not null),
            ("secret", volume.Secret is not null),
            ("nfs", volume.Nfs is not null),
            ("persistentVolumeClaim", volume.PersistentVolumeClaim is not null),
            ("downwardAPI", volume.DownwardAPI is not null),
            ("configMap", volume.ConfigMap is not null),
            ("projected", volume.Projected is not null),
            ("ephemeral", volume.Ephemeral is not null),
            ("image", volume.Image is not null),
            ("csi", volume.Csi is not null),
            ("gcePersistentDisk", volume.GcePersistentDisk is not null),
            ("awsElasticBlockStore", volume.AwsElasticBlockStore is not null),
            ("azureDisk", volume.AzureDisk is not null),
            ("azureFile", volume.AzureFile is not null),
            ("gitRepo", volume.GitRepo is not null),
            ("iscsi", volume.Iscsi is not null),
            ("glusterfs", volume.Glusterfs is not null),
            ("rbd", volume.Rbd is not null),
            ("cephfs", volume.Cephfs is not null),
            ("flexVolume", volume.FlexVolume is not null),
            ("cinder", volume.Cinder is not null),
            ("flocker", volume.Flocker is not null),
            ("fc", volume.Fc is not null),
            ("vsphereVolume", volume.VsphereVolume is not null),
            ("quobyte", volume.Quobyte is not null),
            ("photonPersistentDisk", volume.PhotonPersistentDisk is not null),
            ("portworxVolume", volume.PortworxVolume is not null),
            ("scaleIO", volume.ScaleIO is not null),
            ("storageos", volume.Storageos is not null),
        ];

        // A source this version does not know must not be taken for an empty directory.
        return [.. sources.Where(source => source.IsSet).Select(source => source.Name), .. volume.Unknown?.Keys ?? (IEnumerable<string>)[]];
    }
}
