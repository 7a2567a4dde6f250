using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Host.Configuration;

/// <summary>
/// provider.yaml as it is written. The keys are the Go Kip's where it had them, and are read as it read them; null is what is not given.
/// <see cref="ProviderReader"/> turns it into a <see cref="ProviderConfiguration"/>.
/// </summary>
internal sealed class ProviderFile
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public CloudSection? Cloud { get; set; }

    public EtcdSection? Etcd { get; set; }

    public CellsSection? Cells { get; set; }

    public TestingSection? Testing { get; set; }

    public KubeletSection? Kubelet { get; set; }
}

internal sealed class CloudSection
{
    public AwsSection? Aws { get; set; }

    public GceSection? Gce { get; set; }

    public AzureSection? Azure { get; set; }

    public LocalSection? Local { get; set; }
}

internal sealed class AwsSection
{
    public string? Region { get; set; }

    [JsonPropertyName("accessKeyID")]
    public string? AccessKeyId { get; set; }

    public string? SecretAccessKey { get; set; }

    [JsonPropertyName("vpcID")]
    public string? VpcId { get; set; }

    [JsonPropertyName("subnetID")]
    public string? SubnetId { get; set; }

    public string? EcsClusterName { get; set; }

    [JsonPropertyName("endpointURL")]
    public string? EndpointUrl { get; set; }

    [JsonPropertyName("interruptionQueueURL")]
    public string? InterruptionQueueUrl { get; set; }

    [JsonPropertyName("insecureTLSSkipVerify")]
    public bool? InsecureTlsSkipVerify { get; set; }

    public bool? ConnectToPublicAddress { get; set; }
}

internal sealed class GceSection
{
    [JsonPropertyName("projectID")]
    public string? ProjectId { get; set; }

    public string? CredentialsFile { get; set; }

    public GceCredentialsSection? Credentials { get; set; }

    public string? Zone { get; set; }

    [JsonPropertyName("vpcName")]
    public string? VpcName { get; set; }

    public string? SubnetName { get; set; }
}

internal sealed class GceCredentialsSection
{
    public string? ClientEmail { get; set; }

    public string? PrivateKey { get; set; }
}

internal sealed class AzureSection
{
    [JsonPropertyName("subscriptionID")]
    public string? SubscriptionId { get; set; }

    public string? Location { get; set; }

    public string? ResourceGroup { get; set; }

    [JsonPropertyName("tenantID")]
    public string? TenantId { get; set; }

    [JsonPropertyName("clientID")]
    public string? ClientId { get; set; }

    public string? ClientSecret { get; set; }

    public string? VirtualNetworkName { get; set; }

    public string? SubnetName { get; set; }
}

/// <summary>cloud.local: cells on this machine.</summary>
internal sealed class LocalSection
{
    public string? Bridge { get; set; }

    public string? Cidr { get; set; }

    public List<string>? ImageArchives { get; set; }
}

internal sealed class EtcdSection
{
    public EtcdInternalSection? Internal { get; set; }

    public EtcdClientSection? Client { get; set; }
}

internal sealed class EtcdInternalSection
{
    public string? DataDir { get; set; }

    public string? ConfigFile { get; set; }
}

internal sealed class EtcdClientSection
{
    public List<string>? Endpoints { get; set; }

    public string? CertFile { get; set; }

    public string? KeyFile { get; set; }

    [JsonPropertyName("caFile")]
    public string? CaFile { get; set; }
}

internal sealed class CellsSection
{
    public Dictionary<string, string>? BootImageSpec { get; set; }

    public string? DefaultInstanceType { get; set; }

    public string? DefaultVolumeSize { get; set; }

    public string? Sizing { get; set; }

    public string? Orphans { get; set; }

    public string? Rebalance { get; set; }

    public string? Store { get; set; }

    public Dictionary<string, string>? Overhead { get; set; }

    public List<StandbyCellsSection>? StandbyCells { get; set; }

    public decimal? StandbyBudgetPerHour { get; set; }

    public CallLimitsSection? CallLimits { get; set; }

    public string? CloudInitFile { get; set; }

    public ItzoSection? Itzo { get; set; }

    [JsonPropertyName("extraCIDRs")]
    public List<string>? ExtraCidrs { get; set; }

    public List<string>? ExtraSecurityGroups { get; set; }

    public string? Nametag { get; set; }

    public int? StatusInterval { get; set; }

    [JsonPropertyName("healthcheck")]
    public HealthCheckSection? HealthCheck { get; set; }

    [JsonPropertyName("privateIPOnly")]
    public bool? PrivateIPOnly { get; set; }

    public Dictionary<string, string>? CellConfig { get; set; }

    [JsonPropertyName("defaultIAMPermissions")]
    public string? DefaultIamPermissions { get; set; }

    public bool? UseCloudParameterStore { get; set; }

    public List<RegistrySection>? Registries { get; set; }
}

internal sealed class CallLimitsSection
{
    public RateLimitSection? Launch { get; set; }

    public RateLimitSection? Instances { get; set; }

    public RateLimitSection? Terminate { get; set; }

    public RateLimitSection? List { get; set; }
}

internal sealed class RateLimitSection
{
    public double? PerSecond { get; set; }

    public int? Burst { get; set; }
}

internal sealed class StandbyCellsSection
{
    public string? InstanceType { get; set; }

    public int? Count { get; set; }

    public bool? Spot { get; set; }

    public bool? Dedicated { get; set; }

    public List<string>? Images { get; set; }
}

internal sealed class ItzoSection
{
    public string? Version { get; set; }

    [JsonPropertyName("url")]
    public string? Url { get; set; }

    public string? Sha256 { get; set; }
}

internal sealed class HealthCheckSection
{
    public StatusHealthCheckSection? Status { get; set; }

    [JsonPropertyName("cloudAPI")]
    public CloudApiHealthCheckSection? CloudApi { get; set; }
}

internal sealed class StatusHealthCheckSection
{
    public int? HealthyTimeout { get; set; }
}

internal sealed class CloudApiHealthCheckSection
{
    public int? Interval { get; set; }

    public int? HealthyTimeout { get; set; }
}

internal sealed class RegistrySection
{
    public string? Registry { get; set; }

    public List<string>? Mirrors { get; set; }

    public bool? InsecureSkipVerify { get; set; }
}

internal sealed class TestingSection
{
    [JsonPropertyName("controllerID")]
    public string? ControllerId { get; set; }
}

internal sealed class KubeletSection
{
    public Dictionary<string, string>? Capacity { get; set; }

    public string? Cpu { get; set; }

    public string? Memory { get; set; }

    public string? Pods { get; set; }

    public Dictionary<string, string>? Labels { get; set; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, PropertyNameCaseInsensitive = true)]
[JsonSerializable(typeof(ProviderFile))]
[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
internal sealed partial class ProviderFileContext : JsonSerializerContext;
