namespace Kip.Kubernetes.Objects;

/// <summary>Asks whose a token is (authentication.k8s.io/v1 TokenReview).</summary>
public sealed class TokenReview : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>authentication.k8s.io/v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>TokenReview</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, labels and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The question.</summary>
    public TokenReviewSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>The answer.</summary>
    public TokenReviewStatus? Status { get; set; }
}

/// <summary>Asks whose a token is.</summary>
public sealed class TokenReviewSpec : ApiObject
{
    /// <summary>The token.</summary>
    public string? Token { get; set; }

    /// <summary>For whom it should be; the API server when absent.</summary>
    public List<string>? Audiences { get; set; }
}

/// <summary>Whose a token is.</summary>
public sealed class TokenReviewStatus : ApiObject
{
    /// <summary>Whether the token is good.</summary>
    public bool? Authenticated { get; set; }

    /// <summary>Whose it is.</summary>
    public UserInfo? User { get; set; }

    /// <summary>For whom it is, of those asked for.</summary>
    public List<string>? Audiences { get; set; }

    /// <summary>Why it could not be checked.</summary>
    public string? Error { get; set; }
}

/// <summary>Somebody known to the API server.</summary>
public sealed class UserInfo : ApiObject
{
    /// <summary>The name.</summary>
    public string? Username { get; set; }

    /// <summary>The identity.</summary>
    public string? Uid { get; set; }

    /// <summary>The groups.</summary>
    public List<string>? Groups { get; set; }

    /// <summary>What else the authenticator said.</summary>
    public Dictionary<string, List<string>>? Extra { get; set; }
}
