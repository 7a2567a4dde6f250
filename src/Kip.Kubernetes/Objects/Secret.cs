namespace Kip.Kubernetes.Objects;

/// <summary>Values that not everybody may see (v1/Secret).</summary>
public sealed class Secret : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Secret</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>Whether the values can never change.</summary>
    public bool? Immutable { get; set; }

    /// <summary>The values by key.</summary>
    public Dictionary<string, byte[]>? Data { get; set; }

    /// <summary>Values as text, for writing only.</summary>
    public Dictionary<string, string>? StringData { get; set; }

    /// <summary>What the keys mean; see <see cref="SecretType"/>.</summary>
    public string? Type { get; set; }
}

/// <summary>Values of <see cref="Secret.Type"/>.</summary>
public static class SecretType
{
    /// <summary>Keys that mean something to their user only.</summary>
    public const string Opaque = "Opaque";

    /// <summary>A certificate and its key, in PEM: <c>tls.crt</c> and <c>tls.key</c>.</summary>
    public const string Tls = "kubernetes.io/tls";

    /// <summary>The key <c>.dockerconfigjson</c> holds a <c>config.json</c> of Docker.</summary>
    public const string DockerConfigJson = "kubernetes.io/dockerconfigjson";

    /// <summary>The key <c>.dockercfg</c> holds an old <c>.dockercfg</c> of Docker.</summary>
    public const string DockerConfig = "kubernetes.io/dockercfg";
}
