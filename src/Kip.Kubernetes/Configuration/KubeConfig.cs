using System.Text.Json;
using System.Text.Json.Serialization;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Configuration;

/// <summary>A kubeconfig file (v1 Config of client-go's clientcmd).</summary>
internal sealed class KubeConfig : ApiObject
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    [JsonPropertyName("current-context")]
    public string? CurrentContext { get; set; }

    public List<NamedCluster>? Clusters { get; set; }

    public List<NamedContext>? Contexts { get; set; }

    public List<NamedUser>? Users { get; set; }

    public JsonElement? Preferences { get; set; }

    public JsonElement? Extensions { get; set; }
}

internal sealed class NamedCluster : ApiObject
{
    public string Name { get; set => field = value ?? ""; } = "";

    public KubeConfigCluster Cluster { get; set => field = value ?? new(); } = new();
}

internal sealed class KubeConfigCluster : ApiObject
{
    public string? Server { get; set; }

    [JsonPropertyName("tls-server-name")]
    public string? TlsServerName { get; set; }

    [JsonPropertyName("insecure-skip-tls-verify")]
    public bool? InsecureSkipTlsVerify { get; set; }

    [JsonPropertyName("certificate-authority")]
    public string? CertificateAuthority { get; set; }

    [JsonPropertyName("certificate-authority-data")]
    public string? CertificateAuthorityData { get; set; }

    [JsonPropertyName("proxy-url")]
    public string? ProxyUrl { get; set; }

    [JsonPropertyName("disable-compression")]
    public bool? DisableCompression { get; set; }

    public JsonElement? Extensions { get; set; }
}

internal sealed class NamedContext : ApiObject
{
    public string Name { get; set => field = value ?? ""; } = "";

    public KubeConfigContext Context { get; set => field = value ?? new(); } = new();
}

internal sealed class KubeConfigContext : ApiObject
{
    public string? Cluster { get; set; }

    public string? User { get; set; }

    public string? Namespace { get; set; }

    public JsonElement? Extensions { get; set; }
}

internal sealed class NamedUser : ApiObject
{
    public string Name { get; set => field = value ?? ""; } = "";

    public KubeConfigUser User { get; set => field = value ?? new(); } = new();
}

internal sealed class KubeConfigUser : ApiObject
{
    [JsonPropertyName("client-certificate")]
    public string? ClientCertificate { get; set; }

    [JsonPropertyName("client-certificate-data")]
    public string? ClientCertificateData { get; set; }

    [JsonPropertyName("client-key")]
    public string? ClientKey { get; set; }

    [JsonPropertyName("client-key-data")]
    public string? ClientKeyData { get; set; }

    public string? Token { get; set; }

    public string? TokenFile { get; set; }

    [JsonPropertyName("as")]
    public string? Impersonate { get; set; }

    [JsonPropertyName("as-uid")]
    public string? ImpersonateUid { get; set; }

    [JsonPropertyName("as-groups")]
    public List<string>? ImpersonateGroups { get; set; }

    [JsonPropertyName("as-user-extra")]
    public Dictionary<string, List<string>>? ImpersonateExtra { get; set; }

    public string? Username { get; set; }

    public string? Password { get; set; }

    [JsonPropertyName("auth-provider")]
    public JsonElement? AuthProvider { get; set; }

    public ExecConfig? Exec { get; set; }

    public JsonElement? Extensions { get; set; }
}

internal sealed class ExecConfig : ApiObject
{
    public string? Command { get; set; }

    public List<string>? Args { get; set; }

    public List<ExecEnvVar>? Env { get; set; }

    public string? ApiVersion { get; set; }

    public string? InstallHint { get; set; }

    public bool? ProvideClusterInfo { get; set; }

    public string? InteractiveMode { get; set; }
}

internal sealed class ExecEnvVar : ApiObject
{
    public string Name { get; set => field = value ?? ""; } = "";

    public string Value { get; set => field = value ?? ""; } = "";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KubeConfig))]
[JsonSerializable(typeof(ExecCredential))]
internal sealed partial class ConfigurationJsonContext : JsonSerializerContext;
