using System.Net;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Sizing;

namespace Kip.Host.Configuration;

/// <summary>What provider.yaml says, checked, with every default filled in. docs/configuration.md says what each key means.</summary>
internal sealed record ProviderConfiguration
{
    /// <summary>Where cells are launched; null when the file names no cloud, which only commands that run local cells allow.</summary>
    public CloudConfiguration? Cloud { get; init; }

    public CellsConfiguration Cells { get; init; } = new();

    public KubeletConfiguration Kubelet { get; init; } = new();

    /// <summary>testing.controllerID: instead of the one that Kip makes and remembers.</summary>
    public string? ControllerId { get; init; }

    /// <summary>What was read and has no effect: unknown keys, keys of the Go Kip that nothing is left to set.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

/// <summary>One of <see cref="AwsConfiguration"/>, <see cref="GceConfiguration"/>, <see cref="AzureConfiguration"/>, <see cref="LocalConfiguration"/>.</summary>
internal abstract record CloudConfiguration;

/// <summary>cloud.aws. Null is what AWS's own sources (environment, profile, instance metadata) are asked for.</summary>
internal sealed record AwsConfiguration : CloudConfiguration
{
    public string? Region { get; init; }

    /// <summary>The key pair of cloud.aws, or of the environment, which goes first.</summary>
    public (string Id, Secret Key)? AccessKey { get; init; }

    /// <summary>An ID, or <c>default</c>.</summary>
    public string? VpcId { get; init; }

    public string? SubnetId { get; init; }

    public Uri? Endpoint { get; init; }

    public bool SkipTlsVerify { get; init; }

    /// <summary>A queue with EC2's spot notices; null for none.</summary>
    public Uri? InterruptionQueue { get; init; }

    /// <summary>Whether agents are dialled at public addresses, for a host outside of the VPC.</summary>
    public bool ConnectToPublicAddress { get; init; }
}

/// <summary>cloud.gce. Null is what the metadata server is asked for.</summary>
internal sealed record GceConfiguration : CloudConfiguration
{
    public string? ProjectId { get; init; }

    /// <summary>A service account's key file.</summary>
    public string? CredentialsFile { get; init; }

    /// <summary>A service account's e-mail address and key.</summary>
    public (string Email, Secret PrivateKey)? Credentials { get; init; }

    public string? Zone { get; init; }

    public string? VpcName { get; init; }

    public string? SubnetName { get; init; }
}

/// <summary>cloud.azure.</summary>
internal sealed record AzureConfiguration : CloudConfiguration
{
    public required string SubscriptionId { get; init; }

    /// <summary>The display name, such as <c>East US</c>.</summary>
    public required string Location { get; init; }

    public required string ResourceGroup { get; init; }

    public string? TenantId { get; init; }

    public string? ClientId { get; init; }

    public Secret? ClientSecret { get; init; }

    public string? VirtualNetworkName { get; init; }

    public string? SubnetName { get; init; }
}

/// <summary>cloud.local: cells on this machine.</summary>
internal sealed record LocalConfiguration : CloudConfiguration
{
    /// <summary>Name of the bridge that the cells are on; null for the driver's default.</summary>
    public string? Bridge { get; init; }

    /// <summary>The addresses of the cells and their pods; the first is the bridge's own. Null for the driver's default.</summary>
    public string? Cidr { get; init; }

    /// <summary>Image archives (OCI or Docker) that every cell has from the start; null when not given.</summary>
    public IReadOnlyList<string>? ImageArchives { get; init; }
}

/// <summary>cells: what every cell has in common.</summary>
internal sealed record CellsConfiguration
{
    /// <summary>Which boot image, in the cloud's own terms; empty for the cloud's default.</summary>
    public IReadOnlyDictionary<string, string> BootImage { get; init; } = new Dictionary<string, string>();

    /// <summary>For pods that request nothing. Null only with local cells.</summary>
    public string? DefaultInstanceType { get; init; }

    /// <summary>The size of the root disk in bytes; null for that of the boot image.</summary>
    public long? DefaultVolumeBytes { get; init; } = 5L << 30;

    /// <summary>cells.sizing.</summary>
    public SizingRule SizingRule { get; init; }

    /// <summary>cells.store; null for what goes with the cloud: local cells die with their machine, and so may their records.</summary>
    public CellStorePlace? Store { get; init; }

    /// <summary>cells.orphans: whether instances in no record are terminated.</summary>
    public bool TerminatesOrphans { get; init; } = true;

    /// <summary>cells.rebalance: whether pods are moved when the cloud recommends it.</summary>
    public bool ReplacesAtRebalance { get; init; }

    /// <summary>cells.overhead: what a cell takes beside its pod.</summary>
    public ResourceRequest Overhead { get; init; } = ResourceRequest.CellOverhead;

    public IReadOnlyList<StandbyCells> StandbyCells { get; init; } = [];

    /// <summary>cells.standbyBudgetPerHour: dollars per hour for cells that are kept ready by demand.</summary>
    public decimal StandbyBudgetPerHour { get; init; }

    /// <summary>cells.callLimits: how fast the account may be used; null, as a whole or of an action, for what the cloud publishes.</summary>
    public CallLimits? CallLimits { get; init; }

    public string? CloudInitFile { get; init; }

    /// <summary>cells.itzo.version; null for the newest.</summary>
    public string? AgentVersion { get; init; }

    /// <summary>cells.itzo.url: where cells get the agent.</summary>
    public Uri? AgentUrl { get; init; }

    /// <summary>cells.itzo.sha256: what it has to be.</summary>
    public string? AgentSha256 { get; init; }

    public IReadOnlyList<IPNetwork> ExtraCidrs { get; init; } = [];

    public IReadOnlyList<string> ExtraSecurityGroups { get; init; } = [];

    /// <summary>Part of the names of what Kip makes in the cloud; null for the controller's ID.</summary>
    public string? Nametag { get; init; }

    public HealthCheckConfiguration HealthCheck { get; init; } = new();

    public bool PrivateIPOnly { get; init; }

    /// <summary>Handed to cells as it is.</summary>
    public IReadOnlyDictionary<string, string> CellConfig { get; init; } = new Dictionary<string, string>();

    /// <summary>The cells' identity in their cloud: an instance profile or a service account.</summary>
    public string? DefaultIamPermissions { get; init; }

    public IReadOnlyList<RegistryConfiguration> Registries { get; init; } = [];
}

/// <summary>Where a node's host keeps what it must not forget.</summary>
internal enum CellStorePlace
{
    /// <summary>SQLite and key files in the state folder.</summary>
    File,

    /// <summary>Cell objects and a Secret in the cluster, for any host that may have them.</summary>
    Cluster,
}

/// <summary>When the pod of a silent cell is failed.</summary>
internal sealed record HealthCheckConfiguration
{
    /// <summary>Ask the cloud whether the instance runs, this often; null when it is the agent that must be heard of.</summary>
    public TimeSpan? CloudInterval { get; init; }

    /// <summary>How long the cell, or its instance, may be unheard of.</summary>
    public TimeSpan HealthyTimeout { get; init; } = TimeSpan.FromSeconds(90);
}

/// <summary>kubelet: what the node says of itself.</summary>
internal sealed record KubeletConfiguration
{
    public IReadOnlyDictionary<string, Quantity> Capacity { get; init; } = DefaultCapacity;

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    public static IReadOnlyDictionary<string, Quantity> DefaultCapacity { get; } = new Dictionary<string, Quantity>
    {
        ["cpu"] = Quantity.Parse("20"),
        ["memory"] = Quantity.Parse("100Gi"),
        ["pods"] = Quantity.Parse("20"),
    };
}

/// <summary>A text that is never printed.</summary>
internal readonly record struct Secret(string Value)
{
    public override string ToString() => "***";
}
