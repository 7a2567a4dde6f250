namespace Kip.Kubernetes.Client;

/// <summary>How a client calls.</summary>
public sealed record KubernetesClientOptions
{
    /// <summary>What the client calls itself, such as <c>kip/0.1.0</c>; the API server derives the field manager from it.</summary>
    public string UserAgent { get; init; } = "kip";

    /// <summary>Time for one call with its repetitions; watches are not bounded by it. 30 seconds by default.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The most calls per second that this client makes in the long run; unlimited when null, the default.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Calls that may be made at once before <see cref="RequestsPerSecond"/> holds. 10 by default.</summary>
    public int Burst { get; init; } = 10;

    /// <summary>
    /// How often a call is repeated that the API server put off (429, 503), or a reading call that got no answer. 5 by default.
    /// </summary>
    public int Retries { get; init; } = 5;
}
