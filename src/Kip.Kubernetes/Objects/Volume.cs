using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>A volume of a pod; exactly one source is set, none means an empty directory.</summary>
public sealed class Volume : ApiObject
{
    /// <summary>The name by which containers mount it.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>A path of the host.</summary>
    public HostPathVolumeSource? HostPath { get; set; }

    /// <summary>An empty directory that lives as long as the pod.</summary>
    public EmptyDirVolumeSource? EmptyDir { get; set; }

    /// <summary>The keys of a secret as files.</summary>
    public SecretVolumeSource? Secret { get; set; }

    /// <summary>An NFS export.</summary>
    public NfsVolumeSource? Nfs { get; set; }

    /// <summary>The volume bound to a claim.</summary>
    public PersistentVolumeClaimVolumeSource? PersistentVolumeClaim { get; set; }

    /// <summary>Fields of the pod as files.</summary>
    public DownwardApiVolumeSource? DownwardAPI { get; set; }

    /// <summary>The keys of a config map as files.</summary>
    public ConfigMapVolumeSource? ConfigMap { get; set; }

    /// <summary>Several sources in one directory.</summary>
    public ProjectedVolumeSource? Projected { get; set; }

    /// <summary>A claim made for this pod.</summary>
    public EphemeralVolumeSource? Ephemeral { get; set; }

    /// <summary>The content of an image.</summary>
    public ImageVolumeSource? Image { get; set; }

    /// <summary>A volume of a CSI driver; carried as it is.</summary>
    public JsonElement? Csi { get; set; }

    /// <summary>A Google disk; carried as it is.</summary>
    public JsonElement? GcePersistentDisk { get; set; }

    /// <summary>An AWS disk; carried as it is.</summary>
    public JsonElement? AwsElasticBlockStore { get; set; }

    /// <summary>An Azure disk; carried as it is.</summary>
    public JsonElement? AzureDisk { get; set; }

    /// <summary>An Azure file share; carried as it is.</summary>
    public JsonElement? AzureFile { get; set; }

    /// <summary>A git repository; carried as it is.</summary>
    public JsonElement? GitRepo { get; set; }

    /// <summary>An iSCSI disk; carried as it is.</summary>
    public JsonElement? Iscsi { get; set; }

    /// <summary>A Gluster volume; carried as it is.</summary>
    public JsonElement? Glusterfs { get; set; }

    /// <summary>A Ceph block device; carried as it is.</summary>
    public JsonElement? Rbd { get; set; }

    /// <summary>A Ceph file system; carried as it is.</summary>
    public JsonElement? Cephfs { get; set; }

    /// <summary>A volume of a flex driver; carried as it is.</summary>
    public JsonElement? FlexVolume { get; set; }

    /// <summary>An OpenStack disk; carried as it is.</summary>
    public JsonElement? Cinder { get; set; }

    /// <summary>A Flocker volume; carried as it is.</summary>
    public JsonElement? Flocker { get; set; }

    /// <summary>A Fibre Channel disk; carried as it is.</summary>
    public JsonElement? Fc { get; set; }

    /// <summary>A vSphere disk; carried as it is.</summary>
    public JsonElement? VsphereVolume { get; set; }

    /// <summary>A Quobyte volume; carried as it is.</summary>
    public JsonElement? Quobyte { get; set; }

    /// <summary>A Photon disk; carried as it is.</summary>
    public JsonElement? PhotonPersistentDisk { get; set; }

    /// <summary>A Portworx volume; carried as it is.</summary>
    public JsonElement? PortworxVolume { get; set; }

    /// <summary>A ScaleIO volume; carried as it is.</summary>
    public JsonElement? ScaleIO { get; set; }

    /// <summary>A StorageOS volume; carried as it is.</summary>
    public JsonElement? Storageos { get; set; }
}
