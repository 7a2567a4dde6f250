namespace Kip.Kubernetes.Client;

/// <summary>Which objects are listed, and how.</summary>
public sealed record ListOptions
{
    /// <summary>Labels the objects must have, such as <c>app=web,tier!=cache</c>.</summary>
    public string? LabelSelector { get; init; }

    /// <summary>Fields the objects must have, such as <c>spec.nodeName=kip</c>.</summary>
    public string? FieldSelector { get; init; }

    /// <summary>
    /// Null, the default, for the newest state; <c>0</c> for any state the API server has at hand, which may be old;
    /// otherwise a state not older than this version.
    /// </summary>
    public string? ResourceVersion { get; init; }

    /// <summary>Objects per call, 500 by default; 0 asks for all at once.</summary>
    public int PageSize { get; init; } = 500;
}

/// <summary>Which objects are watched, and from when.</summary>
public sealed record WatchOptions
{
    /// <summary>Labels the objects must have, such as <c>app=web,tier!=cache</c>.</summary>
    public string? LabelSelector { get; init; }

    /// <summary>Fields the objects must have, such as <c>spec.nodeName=kip</c>.</summary>
    public string? FieldSelector { get; init; }

    /// <summary>The version after which changes are told; null tells of all objects first.</summary>
    public string? ResourceVersion { get; init; }

    /// <summary>Whether the API server tells from time to time how far the watch has got. True by default.</summary>
    public bool AllowBookmarks { get; init; } = true;

    /// <summary>After which time, in whole seconds, the API server ends the watch; its own choice when null.</summary>
    public TimeSpan? Timeout { get; init; }
}

/// <summary>How an object is deleted.</summary>
public sealed record DeleteOptions
{
    /// <summary>Time the object has to end gracefully, in whole seconds; zero deletes at once, null leaves it to the object.</summary>
    public TimeSpan? GracePeriod { get; init; }

    /// <summary>Deletes only the object with this identity; another one under the same name is a conflict.</summary>
    public string? Uid { get; init; }

    /// <summary>Deletes only this version; another one is a conflict.</summary>
    public string? ResourceVersion { get; init; }

    /// <summary>What becomes of the objects it owns; the API server's choice when null.</summary>
    public DeletePropagation? Propagation { get; init; }
}

/// <summary>What becomes of the objects that a deleted object owns.</summary>
public enum DeletePropagation
{
    /// <summary>They are deleted after it.</summary>
    Background,

    /// <summary>They are deleted before it.</summary>
    Foreground,

    /// <summary>They stay.</summary>
    Orphan,
}
