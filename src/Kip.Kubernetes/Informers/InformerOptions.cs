using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Informers;

/// <summary>Which objects an informer knows, and how.</summary>
public sealed record InformerOptions<T>
    where T : class, IKubernetesObject
{
    /// <summary>The namespace; empty, the default, for all of them and for resources of the whole cluster.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>Labels the objects must have; any when null.</summary>
    public string? LabelSelector { get; init; }

    /// <summary>Fields the objects must have, such as <c>spec.nodeName=kip</c>; any when null.</summary>
    public string? FieldSelector { get; init; }

    /// <summary>Values by which objects can be found: the name of an index, and what of an object goes into it.</summary>
    public IReadOnlyDictionary<string, Func<T, IEnumerable<string>>> Indexes { get; init; } =
        new Dictionary<string, Func<T, IEnumerable<string>>>();

    /// <summary>The first pause after a failure; doubles with each further one. 200 ms by default.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest pause after a failure. 30 seconds by default.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one watch lasts, spread out by up to twice as much. 5 minutes by default.</summary>
    public TimeSpan WatchTimeout { get; init; } = TimeSpan.FromMinutes(5);
}
