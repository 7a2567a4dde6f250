using System.Net;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>A call of the API server failed: it refused, or it could not be reached, or it could not be understood.</summary>
public sealed class KubernetesApiException : Exception
{
    /// <summary>The API server refused.</summary>
    public KubernetesApiException(string message, HttpStatusCode statusCode, ApiStatus? status = null, TimeSpan? retryAfter = null)
        : base(message)
    {
        StatusCode = statusCode;
        Status = status;
        RetryAfter = retryAfter;
    }

    /// <summary>There was no answer, or one that cannot be understood.</summary>
    public KubernetesApiException(string message, Exception? inner)
        : base(message, inner)
    {
    }

    /// <summary>The HTTP status; null when there was no answer: whether the call took effect is not known.</summary>
    public HttpStatusCode? StatusCode { get; }

    /// <summary>What the API server says about it; null when it did not say.</summary>
    public ApiStatus? Status { get; }

    /// <summary>The reason in one CamelCase word, such as NotFound; null when the API server did not give one.</summary>
    public string? Reason => Status?.Reason;

    /// <summary>After which time the API server wants to be asked again; null when it did not say.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>There is no such object.</summary>
    public bool IsNotFound => StatusCode == HttpStatusCode.NotFound;

    /// <summary>The object was changed by somebody else, or is another one than was meant.</summary>
    public bool IsConflict => StatusCode == HttpStatusCode.Conflict && !IsAlreadyExists;

    /// <summary>An object with this name is there already.</summary>
    public bool IsAlreadyExists => StatusCode == HttpStatusCode.Conflict && Reason == "AlreadyExists";

    /// <summary>The version or the page asked for is too old: list again.</summary>
    public bool IsGone => StatusCode == HttpStatusCode.Gone;

    /// <summary>The API server does not accept the object.</summary>
    public bool IsInvalid => StatusCode is HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest;

    /// <summary>The same call may succeed later: no answer, too many calls, or a failure of the API server itself.</summary>
    public bool IsTransient => StatusCode is null or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;
}
