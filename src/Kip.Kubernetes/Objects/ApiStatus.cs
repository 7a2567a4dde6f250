using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>How a call ended, as the API server says it (meta/v1 Status).</summary>
public sealed class ApiStatus : ApiObject
{
    /// <summary>The API group and version, <c>v1</c>.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The kind, <c>Status</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>Of a list; carried as it is.</summary>
    public JsonElement? Metadata { get; set; }

    /// <summary>Success or Failure.</summary>
    public string? Status { get; set; }

    /// <summary>What happened, for people.</summary>
    public string? Message { get; set; }

    /// <summary>What happened, in one CamelCase word, such as NotFound.</summary>
    public string? Reason { get; set; }

    /// <summary>More about it.</summary>
    public ApiStatusDetails? Details { get; set; }

    /// <summary>The HTTP status.</summary>
    public int? Code { get; set; }
}

/// <summary>More about how a call ended.</summary>
public sealed class ApiStatusDetails : ApiObject
{
    /// <summary>The object's name.</summary>
    public string? Name { get; set; }

    /// <summary>The object's API group.</summary>
    public string? Group { get; set; }

    /// <summary>The object's resource.</summary>
    public string? Kind { get; set; }

    /// <summary>The object's identity.</summary>
    public string? Uid { get; set; }

    /// <summary>Seconds after which to try again.</summary>
    public int? RetryAfterSeconds { get; set; }

    /// <summary>What is wrong in detail.</summary>
    public List<ApiStatusCause>? Causes { get; set; }
}

/// <summary>One thing that is wrong.</summary>
public sealed class ApiStatusCause : ApiObject
{
    /// <summary>What, in one CamelCase word.</summary>
    public string? Reason { get; set; }

    /// <summary>What, for people.</summary>
    public string? Message { get; set; }

    /// <summary>Where, such as <c>spec.containers[0].name</c>.</summary>
    public string? Field { get; set; }
}
