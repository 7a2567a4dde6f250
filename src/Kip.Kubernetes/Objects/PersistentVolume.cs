using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>A piece of storage that outlives pods.</summary>
public sealed class PersistentVolume : ApiObject, IKubernetesObject
{
    /// <inheritdoc/>
    public string? ApiVersion { get; set; }

    /// <inheritdoc/>
    public string? Kind { get; set; }

    /// <inheritdoc/>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>What it is.</summary>
    public PersistentVolumeSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>How it is.</summary>
    public PersistentVolumeStatus? Status { get; set; }
}

/// <summary>What a persistent volume is. Exactly one source is set; those that are not here are in <see cref="ApiObject.Unknown"/>.</summary>
public sealed class PersistentVolumeSpec : ApiObject
{
    /// <summary>How many may have it: <c>ReadWriteOnce</c>, <c>ReadOnlyMany</c>, <c>ReadWriteMany</c>, <c>ReadWriteOncePod</c>.</summary>
    public List<string>? AccessModes { get; set; }

    /// <summary>Sizes, by resource; <c>storage</c> is the size.</summary>
    public Dictionary<string, Quantity>? Capacity { get; set; }

    /// <summary>The claim that has it.</summary>
    public ClaimReference? ClaimRef { get; set; }

    /// <summary>Options for mounting it.</summary>
    public List<string>? MountOptions { get; set; }

    /// <summary><c>Filesystem</c> or <c>Block</c>; a filesystem when absent.</summary>
    public string? VolumeMode { get; set; }

    /// <summary>Its class.</summary>
    public string? StorageClassName { get; set; }

    /// <summary>What becomes of it when its claim is deleted.</summary>
    public string? PersistentVolumeReclaimPolicy { get; set; }

    /// <summary>From which nodes it can be reached; all when absent.</summary>
    public VolumeNodeAffinity? NodeAffinity { get; set; }

    /// <summary>A volume of a CSI driver.</summary>
    public CsiPersistentVolumeSource? Csi { get; set; }

    /// <summary>An NFS export.</summary>
    public NfsVolumeSource? Nfs { get; set; }

    /// <summary>A disk or directory of one node.</summary>
    public LocalVolumeSource? Local { get; set; }

    /// <summary>A path of the node; for trying things out.</summary>
    public HostPathVolumeSource? HostPath { get; set; }

    /// <summary>An AWS disk.</summary>
    public AwsElasticBlockStoreVolumeSource? AwsElasticBlockStore { get; set; }

    /// <summary>A Google disk.</summary>
    public GcePersistentDiskVolumeSource? GcePersistentDisk { get; set; }

    /// <summary>An Azure disk.</summary>
    public AzureDiskVolumeSource? AzureDisk { get; set; }
}

/// <summary>How a persistent volume is.</summary>
public sealed class PersistentVolumeStatus : ApiObject
{
    /// <summary><c>Pending</c>, <c>Available</c>, <c>Bound</c>, <c>Released</c> or <c>Failed</c>.</summary>
    public string? Phase { get; set; }

    /// <summary>Why it is so.</summary>
    public string? Message { get; set; }
}

/// <summary>The claim that has a volume.</summary>
public sealed class ClaimReference : ApiObject
{
    /// <summary>Namespace of the claim.</summary>
    public string? Namespace { get; set; }

    /// <summary>Its name.</summary>
    public string? Name { get; set; }

    /// <summary>Its UID; absent while only the volume knows of the claim.</summary>
    public string? Uid { get; set; }
}

/// <summary>From which nodes a volume can be reached.</summary>
public sealed class VolumeNodeAffinity : ApiObject
{
    /// <summary>What the node's labels must be.</summary>
    public NodeSelector? Required { get; set; }
}

/// <summary>A volume of a CSI driver.</summary>
public sealed class CsiPersistentVolumeSource : ApiObject
{
    /// <summary>Name of the driver, for example <c>ebs.csi.aws.com</c>.</summary>
    public string Driver { get; set => field = value ?? ""; } = "";

    /// <summary>The driver's name for the volume.</summary>
    public string VolumeHandle { get; set => field = value ?? ""; } = "";

    /// <summary>Whether it is attached read-only.</summary>
    public bool? ReadOnly { get; set; }

    /// <summary>The file system; the driver's default when absent.</summary>
    public string? FsType { get; set; }

    /// <summary>What the driver made it with.</summary>
    public Dictionary<string, string>? VolumeAttributes { get; set; }

    /// <summary>A secret that the driver would need to mount it; carried as it is.</summary>
    public JsonElement? NodePublishSecretRef { get; set; }

    /// <summary>A secret that the driver would need to stage it; carried as it is.</summary>
    public JsonElement? NodeStageSecretRef { get; set; }
}

/// <summary>A disk or directory of one node.</summary>
public sealed class LocalVolumeSource : ApiObject
{
    /// <summary>The path.</summary>
    public string Path { get; set => field = value ?? ""; } = "";

    /// <summary>The file system of a disk; chosen by the node when absent.</summary>
    public string? FsType { get; set; }
}

/// <summary>An AWS disk.</summary>
public sealed class AwsElasticBlockStoreVolumeSource : ApiObject
{
    /// <summary><c>vol-…</c>, or <c>aws://zone/vol-…</c>.</summary>
    public string VolumeID { get; set => field = value ?? ""; } = "";

    /// <summary>The file system, ext4 when absent.</summary>
    public string? FsType { get; set; }

    /// <summary>The partition, from 1; 0 or absent for the whole disk.</summary>
    public int? Partition { get; set; }

    /// <summary>Whether the mount is read-only.</summary>
    public bool? ReadOnly { get; set; }
}

/// <summary>A Google disk.</summary>
public sealed class GcePersistentDiskVolumeSource : ApiObject
{
    /// <summary>Name of the disk.</summary>
    public string PdName { get; set => field = value ?? ""; } = "";

    /// <summary>The file system, ext4 when absent.</summary>
    public string? FsType { get; set; }

    /// <summary>The partition, from 1; 0 or absent for the whole disk.</summary>
    public int? Partition { get; set; }

    /// <summary>Whether the mount is read-only.</summary>
    public bool? ReadOnly { get; set; }
}

/// <summary>An Azure disk.</summary>
public sealed class AzureDiskVolumeSource : ApiObject
{
    /// <summary>Name of the disk.</summary>
    public string DiskName { get; set => field = value ?? ""; } = "";

    /// <summary>Its identifier, a resource path.</summary>
    public string DiskURI { get; set => field = value ?? ""; } = "";

    /// <summary>The file system, ext4 when absent.</summary>
    public string? FsType { get; set; }

    /// <summary>Whether the mount is read-only.</summary>
    public bool? ReadOnly { get; set; }
}
