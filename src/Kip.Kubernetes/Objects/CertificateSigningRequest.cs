namespace Kip.Kubernetes.Objects;

/// <summary>Asks for a certificate (certificates.k8s.io/v1 CertificateSigningRequest).</summary>
public sealed class CertificateSigningRequest : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>certificates.k8s.io/v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>CertificateSigningRequest</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, labels and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The certificate that is wanted.</summary>
    public CertificateSigningRequestSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>The answer.</summary>
    public CertificateSigningRequestStatus? Status { get; set; }
}

/// <summary>A certificate that is wanted.</summary>
public sealed class CertificateSigningRequestSpec : ApiObject
{
    /// <summary>A PKCS #10 request as PEM text.</summary>
    public byte[]? Request { get; set; }

    /// <summary>Who is to sign, such as <c>kubernetes.io/kubelet-serving</c>.</summary>
    public string? SignerName { get; set; }

    /// <summary>Seconds it should live, from 1.22; the signer may give it another life.</summary>
    public int? ExpirationSeconds { get; set; }

    /// <summary>What it is for, such as <c>server auth</c>.</summary>
    public List<string>? Usages { get; set; }

    /// <summary>Who asks; set by the API server.</summary>
    public string? Username { get; set; }

    /// <summary>Who asks; set by the API server.</summary>
    public string? Uid { get; set; }

    /// <summary>Who asks; set by the API server.</summary>
    public List<string>? Groups { get; set; }

    /// <summary>Who asks; set by the API server.</summary>
    public Dictionary<string, List<string>>? Extra { get; set; }
}

/// <summary>What became of a request for a certificate.</summary>
public sealed class CertificateSigningRequestStatus : ApiObject
{
    /// <summary>Approved, Denied or Failed.</summary>
    public List<CertificateSigningRequestCondition>? Conditions { get; set; }

    /// <summary>The certificate and its chain as PEM text.</summary>
    public byte[]? Certificate { get; set; }
}

/// <summary>One condition of a request for a certificate.</summary>
public sealed class CertificateSigningRequestCondition : ApiObject
{
    /// <summary>Approved, Denied or Failed.</summary>
    public string Type { get; set => field = value ?? ""; } = "";

    /// <summary>True, False or Unknown.</summary>
    public string? Status { get; set; }

    /// <summary>Why, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>Why, for people.</summary>
    public string? Message { get; set; }

    /// <summary>When it was last changed.</summary>
    public DateTimeOffset? LastUpdateTime { get; set; }

    /// <summary>When the status last changed.</summary>
    public DateTimeOffset? LastTransitionTime { get; set; }
}
