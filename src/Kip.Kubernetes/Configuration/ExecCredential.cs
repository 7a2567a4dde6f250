using System.Text.Json;
using System.Text.Json.Serialization;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Configuration;

/// <summary>What a credential plugin is told and answers (client.authentication.k8s.io ExecCredential).</summary>
internal sealed class ExecCredential : ApiObject
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public ExecCredentialSpec? Spec { get; set; }

    public ExecCredentialStatus? Status { get; set; }
}

internal sealed class ExecCredentialSpec : ApiObject
{
    public bool Interactive { get; set; }

    public ExecCluster? Cluster { get; set; }
}

/// <summary>The cluster that credentials are for, told to plugins that want it.</summary>
internal sealed class ExecCluster : ApiObject
{
    public string? Server { get; set; }

    [JsonPropertyName("tls-server-name")]
    public string? TlsServerName { get; set; }

    [JsonPropertyName("insecure-skip-tls-verify")]
    public bool? InsecureSkipTlsVerify { get; set; }

    [JsonPropertyName("certificate-authority-data")]
    public byte[]? CertificateAuthorityData { get; set; }

    [JsonPropertyName("proxy-url")]
    public string? ProxyUrl { get; set; }

    public JsonElement? Config { get; set; }
}

internal sealed class ExecCredentialStatus : ApiObject
{
    public DateTimeOffset? ExpirationTimestamp { get; set; }

    public string? Token { get; set; }

    public string? ClientCertificateData { get; set; }

    public string? ClientKeyData { get; set; }
}
