using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Leases;

/// <summary>Which lease decides who leads, and how fast it changes hands.</summary>
public sealed record LeaderElectionOptions
{
    /// <summary>The lease; it is made when there is none.</summary>
    public required ObjectKey Lease { get; init; }

    /// <summary>Who this is; different for every candidate.</summary>
    public required string Identity { get; init; }

    /// <summary>Time without renewal after which others take the lease, in whole seconds. 15 seconds by default.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Time without renewal after which the leader stops; less than <see cref="LeaseDuration"/>. 10 seconds by default.</summary>
    public TimeSpan RenewDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time between attempts to get or renew the lease; less than <see cref="RenewDeadline"/>. 2 seconds by default.</summary>
    public TimeSpan RetryPeriod { get; init; } = TimeSpan.FromSeconds(2);
}
