namespace Kip.Kubernetes.Objects;

/// <summary>Asks whether somebody may do something (authorization.k8s.io/v1 SubjectAccessReview).</summary>
public sealed class SubjectAccessReview : ApiObject, IKubernetesObject
{
    /// <summary>The API group and version, <c>authorization.k8s.io/v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>SubjectAccessReview</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Name, labels and what else identifies the object.</summary>
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The question.</summary>
    public SubjectAccessReviewSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>The answer.</summary>
    public SubjectAccessReviewStatus? Status { get; set; }
}

/// <summary>Asks whether somebody may do something.</summary>
public sealed class SubjectAccessReviewSpec : ApiObject
{
    /// <summary>What is to be done to an object.</summary>
    public ResourceAttributes? ResourceAttributes { get; set; }

    /// <summary>What is to be done to a path.</summary>
    public NonResourceAttributes? NonResourceAttributes { get; set; }

    /// <summary>The name.</summary>
    public string? User { get; set; }

    /// <summary>The groups.</summary>
    public List<string>? Groups { get; set; }

    /// <summary>What else the authenticator said.</summary>
    public Dictionary<string, List<string>>? Extra { get; set; }

    /// <summary>The identity.</summary>
    public string? Uid { get; set; }
}

/// <summary>Something to be done to an object.</summary>
public sealed class ResourceAttributes : ApiObject
{
    /// <summary>The namespace.</summary>
    public string? Namespace { get; set; }

    /// <summary>Such as get.</summary>
    public string? Verb { get; set; }

    /// <summary>The API group.</summary>
    public string? Group { get; set; }

    /// <summary>The version.</summary>
    public string? Version { get; set; }

    /// <summary>Such as nodes.</summary>
    public string? Resource { get; set; }

    /// <summary>Such as proxy.</summary>
    public string? Subresource { get; set; }

    /// <summary>The object's name; all when absent.</summary>
    public string? Name { get; set; }
}

/// <summary>Something to be done to a path.</summary>
public sealed class NonResourceAttributes : ApiObject
{
    /// <summary>The path.</summary>
    public string? Path { get; set; }

    /// <summary>Such as get.</summary>
    public string? Verb { get; set; }
}

/// <summary>Whether somebody may do something.</summary>
public sealed class SubjectAccessReviewStatus : ApiObject
{
    /// <summary>Whether it is allowed.</summary>
    public bool Allowed { get; set; }

    /// <summary>Whether it is forbidden, whatever others say.</summary>
    public bool? Denied { get; set; }

    /// <summary>Why, for people.</summary>
    public string? Reason { get; set; }

    /// <summary>What went wrong in deciding.</summary>
    public string? EvaluationError { get; set; }
}
