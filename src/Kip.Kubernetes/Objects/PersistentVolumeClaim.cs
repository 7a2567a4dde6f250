using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>Somebody's wish for a persistent volume.</summary>
public sealed class PersistentVolumeClaim : ApiObject, IKubernetesObject
{
    /// <inheritdoc/>
    public string? ApiVersion { get; set; }

    /// <inheritdoc/>
    public string? Kind { get; set; }

    /// <inheritdoc/>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>What is wished for.</summary>
    public PersistentVolumeClaimSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>What came of it.</summary>
    public PersistentVolumeClaimStatus? Status { get; set; }
}

/// <summary>What a claim wishes for.</summary>
public sealed class PersistentVolumeClaimSpec : ApiObject
{
    /// <summary>How many may have it: <c>ReadWriteOnce</c>, <c>ReadOnlyMany</c>, <c>ReadWriteMany</c>, <c>ReadWriteOncePod</c>.</summary>
    public List<string>? AccessModes { get; set; }

    /// <summary>How large; <c>storage</c> is the size.</summary>
    public ResourceRequirements? Resources { get; set; }

    /// <summary>The volume that it has; absent while it has none.</summary>
    public string? VolumeName { get; set; }

    /// <summary>The class; the cluster's default when absent.</summary>
    public string? StorageClassName { get; set; }

    /// <summary><c>Filesystem</c> or <c>Block</c>; a filesystem when absent.</summary>
    public string? VolumeMode { get; set; }

    /// <summary>Which volumes will do; carried as it is.</summary>
    public JsonElement? Selector { get; set; }
}

/// <summary>What came of a claim.</summary>
public sealed class PersistentVolumeClaimStatus : ApiObject
{
    /// <summary><c>Pending</c>, <c>Bound</c> or <c>Lost</c>.</summary>
    public string? Phase { get; set; }

    /// <summary>Size of the volume that it has.</summary>
    public Dictionary<string, Quantity>? Capacity { get; set; }
}
