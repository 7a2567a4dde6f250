namespace Kip.Kubernetes.Events;

/// <summary>Who records events, and how many.</summary>
public sealed record EventRecorderOptions
{
    /// <summary>The component that reports, such as <c>kip</c>.</summary>
    public required string Component { get; init; }

    /// <summary>The node it runs on; none when null.</summary>
    public string? Host { get; init; }

    /// <summary>Events that may wait to be written; more are dropped and counted. 1,000 by default.</summary>
    public int Capacity { get; init; } = 1000;

    /// <summary>
    /// Normal events per second in the long run, of all objects together; more are dropped and counted, so that many pods at once do not
    /// keep the API server from their statuses. Warnings are never dropped for it. 50 by default, as a kubelet's; more than 0.
    /// </summary>
    public double NormalPerSecond { get; init; } = 50;

    /// <summary>Normal events that may come at once before <see cref="NormalPerSecond"/> holds. 100 by default, as a kubelet's.</summary>
    public int NormalBurst { get; init; } = 100;

    /// <summary>Events about one object that may be written at once; more only at <see cref="Refill"/>. 25 by default.</summary>
    public int Burst { get; init; } = 25;

    /// <summary>Time after which one more event about an object may be written. 5 minutes by default.</summary>
    public TimeSpan Refill { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Different messages with one reason about one object, within <see cref="SimilarWindow"/>, after which they become one event. 10 by default.</summary>
    public int SimilarMessages { get; init; } = 10;

    /// <summary>Time in which messages count as similar. 10 minutes by default.</summary>
    public TimeSpan SimilarWindow { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Objects and events that are remembered, the least recent are forgotten. 4,096 by default.</summary>
    public int Memory { get; init; } = 4096;
}
