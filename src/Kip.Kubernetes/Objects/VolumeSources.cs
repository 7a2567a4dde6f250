using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>A path of the host.</summary>
public sealed class HostPathVolumeSource : ApiObject
{
    /// <summary>The path.</summary>
    public string Path { get; set => field = value ?? ""; } = "";

    /// <summary>
    /// What must be there or is made: DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice,
    /// BlockDevice; unchecked when absent.
    /// </summary>
    public string? Type { get; set; }
}

/// <summary>An empty directory that lives as long as the pod.</summary>
public sealed class EmptyDirVolumeSource : ApiObject
{
    /// <summary>Memory for a tmpfs; the disk when absent.</summary>
    public string? Medium { get; set; }

    /// <summary>The most it may hold, in bytes.</summary>
    public Quantity? SizeLimit { get; set; }
}

/// <summary>The keys of a secret as files.</summary>
public sealed class SecretVolumeSource : ApiObject
{
    /// <summary>The secret.</summary>
    public string? SecretName { get; set; }

    /// <summary>The keys to show; all when absent.</summary>
    public List<KeyToPath>? Items { get; set; }

    /// <summary>Mode of the files, 0644 (420) when absent.</summary>
    public int? DefaultMode { get; set; }

    /// <summary>Whether the secret or a key may be missing.</summary>
    public bool? Optional { get; set; }
}

/// <summary>The keys of a config map as files.</summary>
public sealed class ConfigMapVolumeSource : ApiObject
{
    /// <summary>The config map.</summary>
    public string? Name { get; set; }

    /// <summary>The keys to show; all when absent.</summary>
    public List<KeyToPath>? Items { get; set; }

    /// <summary>Mode of the files, 0644 (420) when absent.</summary>
    public int? DefaultMode { get; set; }

    /// <summary>Whether the config map or a key may be missing.</summary>
    public bool? Optional { get; set; }
}

/// <summary>Gives a key a file.</summary>
public sealed class KeyToPath : ApiObject
{
    /// <summary>The key.</summary>
    public string Key { get; set => field = value ?? ""; } = "";

    /// <summary>The file's path in the volume.</summary>
    public string Path { get; set => field = value ?? ""; } = "";

    /// <summary>Mode of the file; the volume's default when absent.</summary>
    public int? Mode { get; set; }
}

/// <summary>An NFS export.</summary>
public sealed class NfsVolumeSource : ApiObject
{
    /// <summary>Host name or address of the server.</summary>
    public string Server { get; set => field = value ?? ""; } = "";

    /// <summary>The exported path.</summary>
    public string Path { get; set => field = value ?? ""; } = "";

    /// <summary>Whether the mount is read-only.</summary>
    public bool? ReadOnly { get; set; }
}

/// <summary>The volume bound to a claim.</summary>
public sealed class PersistentVolumeClaimVolumeSource : ApiObject
{
    /// <summary>The claim.</summary>
    public string ClaimName { get; set => field = value ?? ""; } = "";

    /// <summary>Whether the mount is read-only.</summary>
    public bool? ReadOnly { get; set; }
}

/// <summary>Fields of the pod as files.</summary>
public sealed class DownwardApiVolumeSource : ApiObject
{
    /// <summary>The files.</summary>
    public List<DownwardApiVolumeFile>? Items { get; set; }

    /// <summary>Mode of the files, 0644 (420) when absent.</summary>
    public int? DefaultMode { get; set; }
}

/// <summary>A field of the pod, or a resource of a container, as file.</summary>
public sealed class DownwardApiVolumeFile : ApiObject
{
    /// <summary>The file's path in the volume.</summary>
    public string Path { get; set => field = value ?? ""; } = "";

    /// <summary>A field of the pod.</summary>
    public ObjectFieldSelector? FieldRef { get; set; }

    /// <summary>A resource of a container.</summary>
    public ResourceFieldSelector? ResourceFieldRef { get; set; }

    /// <summary>Mode of the file; the volume's default when absent.</summary>
    public int? Mode { get; set; }
}

/// <summary>Several sources in one directory.</summary>
public sealed class ProjectedVolumeSource : ApiObject
{
    /// <summary>The sources.</summary>
    public List<VolumeProjection>? Sources { get; set; }

    /// <summary>Mode of the files, 0644 (420) when absent.</summary>
    public int? DefaultMode { get; set; }
}

/// <summary>One source of a projected volume; exactly one is set.</summary>
public sealed class VolumeProjection : ApiObject
{
    /// <summary>Keys of a secret.</summary>
    public KeyProjection? Secret { get; set; }

    /// <summary>Fields of the pod.</summary>
    public DownwardApiProjection? DownwardAPI { get; set; }

    /// <summary>Keys of a config map.</summary>
    public KeyProjection? ConfigMap { get; set; }

    /// <summary>A service account token.</summary>
    public ServiceAccountTokenProjection? ServiceAccountToken { get; set; }

    /// <summary>Certificates of a trust bundle.</summary>
    public ClusterTrustBundleProjection? ClusterTrustBundle { get; set; }

    /// <summary>A certificate issued to the pod; carried as it is.</summary>
    public JsonElement? PodCertificate { get; set; }
}

/// <summary>Keys of a config map or secret as files.</summary>
public sealed class KeyProjection : ApiObject
{
    /// <summary>The config map or secret.</summary>
    public string? Name { get; set; }

    /// <summary>The keys to show; all when absent.</summary>
    public List<KeyToPath>? Items { get; set; }

    /// <summary>Whether it or a key may be missing.</summary>
    public bool? Optional { get; set; }
}

/// <summary>Fields of the pod as files.</summary>
public sealed class DownwardApiProjection : ApiObject
{
    /// <summary>The files.</summary>
    public List<DownwardApiVolumeFile>? Items { get; set; }
}

/// <summary>A service account token as file, renewed before it expires.</summary>
public sealed class ServiceAccountTokenProjection : ApiObject
{
    /// <summary>Whom the token is for; the API server when absent.</summary>
    public string? Audience { get; set; }

    /// <summary>Seconds the token is good for; 3600 when absent.</summary>
    public long? ExpirationSeconds { get; set; }

    /// <summary>The file's path in the volume.</summary>
    public string Path { get; set => field = value ?? ""; } = "";
}

/// <summary>Certificates of a trust bundle as file.</summary>
public sealed class ClusterTrustBundleProjection : ApiObject
{
    /// <summary>The bundle, by name.</summary>
    public string? Name { get; set; }

    /// <summary>The bundles, by signer.</summary>
    public string? SignerName { get; set; }

    /// <summary>Narrows the signer's bundles; carried as it is.</summary>
    public JsonElement? LabelSelector { get; set; }

    /// <summary>Whether there may be no bundle.</summary>
    public bool? Optional { get; set; }

    /// <summary>The file's path in the volume.</summary>
    public string Path { get; set => field = value ?? ""; } = "";
}

/// <summary>A claim made for this pod.</summary>
public sealed class EphemeralVolumeSource : ApiObject
{
    /// <summary>The claim; carried as it is.</summary>
    public JsonElement? VolumeClaimTemplate { get; set; }
}

/// <summary>The content of an image, read-only.</summary>
public sealed class ImageVolumeSource : ApiObject
{
    /// <summary>The image.</summary>
    public string? Reference { get; set; }

    /// <summary>When the image is pulled.</summary>
    public string? PullPolicy { get; set; }
}
