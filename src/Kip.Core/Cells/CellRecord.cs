using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Cells;

/// <summary>What is durable about one cell. Immutable; a change is a new version in the store.</summary>
public sealed record CellRecord
{
    /// <summary>The <see cref="Reason"/> of a cell that the cloud takes back.</summary>
    public const string SpotInterrupted = "SpotInterrupted";

    /// <summary>The <see cref="Reason"/> of a cell whose instance the cloud advises to leave, since it is more likely than others to be taken back.</summary>
    public const string RebalanceRecommended = "RebalanceRecommended";

    /// <summary>
    /// Name of the cell: <c>cell-</c> and ten letters or digits, made of the UID of the pod it was planned for, so that a store, which
    /// takes each name once, cannot hold two cells for one pod. A pod that is given another cell has the name again once the first is gone.
    /// </summary>
    public required string Id { get; init; }

    /// <summary>Who asked for it: a run of <c>kip run</c>, a node, a controller of one's own.</summary>
    public required string Owner { get; init; }

    /// <summary>Where it is in its life.</summary>
    public required CellState State { get; init; }

    /// <summary>When it came into <see cref="State"/>.</summary>
    public required DateTimeOffset StateSince { get; init; }

    /// <summary>When it was planned.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The pod it is for; null while it waits for one. A cell runs one pod in its life.</summary>
    public PodReference? Pod { get; init; }

    /// <summary>The token of the launch that is being tried or was accepted; see <see cref="LaunchRequest.LaunchToken"/>.</summary>
    public required string LaunchToken { get; init; }

    /// <summary>Name of the instance type.</summary>
    public required string InstanceType { get; init; }

    /// <summary>GPUs that are attached at the launch; null for none, or those of the type.</summary>
    public GpuDevices? AttachedGpus { get; init; }

    /// <summary>Zone.</summary>
    public required string Zone { get; init; }

    /// <summary>How it is paid for.</summary>
    public CapacityType CapacityType { get; init; }

    /// <summary>Dollars per hour, or null when the price is not known.</summary>
    public decimal? PricePerHour { get; init; }

    /// <summary>Size of the root disk in bytes.</summary>
    public long DiskBytes { get; init; }

    /// <summary>What else the pod asks of its machine; null for nothing.</summary>
    public LaunchOptions? Options { get; init; }

    /// <summary>The cloud's name for the instance, once a launch was accepted.</summary>
    public string? InstanceId { get; init; }

    /// <summary>Address of the agent, once known.</summary>
    public string? Address { get; init; }

    /// <summary>Address reserved for the pod, once known; null where the pod has the cell's own.</summary>
    public string? PodAddress { get; init; }

    /// <summary>
    /// A second launch for the same cell, made because the first boot has stalled; null for none. Whichever agent answers first makes its
    /// launch the cell's. The other one is kept here until its instance has ended.
    /// </summary>
    public CellLaunch? Spare { get; init; }

    /// <summary>When the pod was given to the agent, or null: a pod whose cell ended before may be given another cell.</summary>
    public DateTimeOffset? ClaimedAt { get; init; }

    /// <summary>
    /// The volumes that are attached to the instance, or may be: noted before they are attached, and until they are seen to be off. Null for none.
    /// </summary>
    public IReadOnlyList<AttachableVolume>? Volumes { get; init; }

    /// <summary>One word that says why the cell is ending; null while it is not.</summary>
    public string? Reason { get; init; }

    /// <summary>A sentence that goes with <see cref="Reason"/>.</summary>
    public string? Message { get; init; }

    /// <summary>When a draining cell is ended whatever its pod does; null while it is not draining.</summary>
    public DateTimeOffset? DrainDeadline { get; init; }

    /// <summary>How the pod ended, once it has; kept here until the record goes, so that a restart does not lose it.</summary>
    [JsonIgnore]
    public PodStatus? FinalStatus { get; init; }

    /// <summary>Counts the changes; the store refuses a change that is not based on the newest version.</summary>
    public long Version { get; init; }

    /// <summary>The store's own name for this version, where it has one; the version that a change is based on is known by it.</summary>
    [JsonIgnore]
    public string? StoreVersion { get; init; }

    /// <summary>The launch of the cell, apart from the rest.</summary>
    [JsonIgnore]
    internal CellLaunch Launch => new()
    {
        LaunchToken = LaunchToken,
        InstanceType = InstanceType,
        AttachedGpus = AttachedGpus,
        Zone = Zone,
        CapacityType = CapacityType,
        PricePerHour = PricePerHour,
        InstanceId = InstanceId,
        Address = Address,
        PodAddress = PodAddress,
    };

    /// <summary>The same cell with another launch.</summary>
    internal CellRecord With(CellLaunch launch) => this with
    {
        LaunchToken = launch.LaunchToken,
        InstanceType = launch.InstanceType,
        AttachedGpus = launch.AttachedGpus,
        Zone = launch.Zone,
        CapacityType = launch.CapacityType,
        PricePerHour = launch.PricePerHour,
        InstanceId = launch.InstanceId,
        Address = launch.Address,
        PodAddress = launch.PodAddress,
    };

    /// <summary>Whether an instance may be the cell's, or its spare's: one whose launch has not been answered is known by nobody yet.</summary>
    internal bool Owns(string instanceId) =>
        InstanceId is null || InstanceId == instanceId || (Spare is { } spare && (spare.InstanceId is null || spare.InstanceId == instanceId));

    [JsonInclude]
    [JsonPropertyName("finalStatus")]
    internal JsonElement? FinalStatusJson
    {
        get => FinalStatus is { } status ? JsonElement.Parse(KubernetesJson.SerializeToUtf8(status)) : null;
        init => FinalStatus = value is { } json ? KubernetesJson.DeserializePodStatus(Encoding.UTF8.GetBytes(json.GetRawText())) : null;
    }
}

/// <summary>One launch: what is asked of the cloud, and what it has answered.</summary>
public sealed record CellLaunch
{
    /// <inheritdoc cref="CellRecord.LaunchToken"/>
    public required string LaunchToken { get; init; }

    /// <inheritdoc cref="CellRecord.InstanceType"/>
    public required string InstanceType { get; init; }

    /// <inheritdoc cref="CellRecord.AttachedGpus"/>
    public GpuDevices? AttachedGpus { get; init; }

    /// <inheritdoc cref="CellRecord.Zone"/>
    public required string Zone { get; init; }

    /// <inheritdoc cref="CellRecord.CapacityType"/>
    public CapacityType CapacityType { get; init; }

    /// <inheritdoc cref="CellRecord.PricePerHour"/>
    public decimal? PricePerHour { get; init; }

    /// <inheritdoc cref="CellRecord.InstanceId"/>
    public string? InstanceId { get; init; }

    /// <inheritdoc cref="CellRecord.Address"/>
    public string? Address { get; init; }

    /// <inheritdoc cref="CellRecord.PodAddress"/>
    public string? PodAddress { get; init; }
}

/// <summary>Which pod. The UID is the identity: a pod made again under the same name is another pod.</summary>
/// <param name="Namespace">Namespace.</param>
/// <param name="Name">Name.</param>
/// <param name="Uid">UID.</param>
public sealed record PodReference(string Namespace, string Name, string Uid)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Namespace}/{Name}";
}

/// <summary>Where a cell is in its life. It only moves down this list.</summary>
public enum CellState
{
    /// <summary>The record is durable; the cloud may or may not have heard of it.</summary>
    Planned = 0,

    /// <summary>The cloud has accepted the launch; the address is not known yet.</summary>
    Launching,

    /// <summary>The instance has its address; the agent is awaited.</summary>
    Booting,

    /// <summary>The agent is enrolled; no pod was given to it.</summary>
    Ready,

    /// <summary>The pod was given to the agent, or is being given.</summary>
    Claimed,

    /// <summary>The pod is being ended.</summary>
    Draining,

    /// <summary>The instance is being ended.</summary>
    Terminating,

    /// <summary>The instance was observed to have ended; the record is deleted.</summary>
    Gone,
}
