namespace Kip.Kubernetes.Objects;

/// <summary>Asks for a token of a service account (authentication.k8s.io/v1 TokenRequest).</summary>
public sealed class TokenRequest : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>authentication.k8s.io/v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>TokenRequest</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, namespace and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The token that is wanted.</summary>
    public TokenRequestSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>The token.</summary>
    public TokenRequestStatus? Status { get; set; }
}

/// <summary>A token that is wanted.</summary>
public sealed class TokenRequestSpec : ApiObject
{
    /// <summary>For whom it is; the API server when empty.</summary>
    public List<string> Audiences { get; set => field = value ?? []; } = [];

    /// <summary>Seconds it should live, at least 600; the API server may give it a longer or shorter life.</summary>
    public long? ExpirationSeconds { get; set; }

    /// <summary>The object with which the token dies.</summary>
    public BoundObjectReference? BoundObjectRef { get; set; }
}

/// <summary>The object with which a token dies.</summary>
public sealed class BoundObjectReference : ApiObject
{
    /// <summary>Pod, Secret or Node.</summary>
    public string? Kind { get; set; }

    /// <summary>Its API version, such as <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>Its name.</summary>
    public string? Name { get; set; }

    /// <summary>Its identity.</summary>
    public string? Uid { get; set; }
}

/// <summary>A token.</summary>
public sealed class TokenRequestStatus : ApiObject
{
    /// <summary>The token.</summary>
    public string Token { get; set => field = value ?? ""; } = "";

    /// <summary>When it ends.</summary>
    public DateTimeOffset? ExpirationTimestamp { get; set; }
}
