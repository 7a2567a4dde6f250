using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Nodes;

/// <summary>
/// The node's lease. Renewing it tells the cluster that the node lives, and its holder is the one host that looks after the node: another
/// one waits. Give it a client of its own: nothing else the host does may keep a renewal waiting.
/// </summary>
/// <remarks>
/// An API server that cannot be reached costs no host its node: without it nobody else can take the node either. Another host's clock is
/// not believed: its lease has run out when it was seen unchanged for as long as it lasts.
/// </remarks>
internal sealed partial class NodeLease(IKubernetesClient client, string nodeName, string holder, TimeProvider time, ILogger logger)
{
    public const string Namespace = "kube-node-lease";

    // A kubelet's: 40 seconds, renewed after a quarter of them.
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Interval = Duration / 4;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly ObjectKey _key = new(Namespace, nodeName);
    private Lease? _held;
    private (string? Version, long Since)? _seen; // of a lease that another host holds

    /// <summary>Waits until no other host holds the node, and takes it.</summary>
    /// <returns>When the host before this one, this node's or itself, last said that it lived; null when there was none.</returns>
    public async Task<DateTimeOffset?> AcquireAsync(CancellationToken cancellationToken)
    {
        string? waitedFor = null;
        while (true)
        {
            try
            {
                var lease = await FindAsync(cancellationToken).ConfigureAwait(false);
                if (lease is null || IsFree(lease))
                {
                    await HoldAsync(lease, null, cancellationToken).ConfigureAwait(false);
                    return lease?.Spec.RenewTime;
                }

                if (waitedFor != lease.Spec.HolderIdentity)
                {
                    waitedFor = lease.Spec.HolderIdentity;
                    LogWaiting(nodeName, waitedFor ?? "");
                }
            }
            catch (Exception e) when (IsTrouble(e, cancellationToken))
            {
                LogFailed(nodeName, e.Message);
            }

            await Task.Delay(RetryInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Renews until it is cancelled.</summary>
    /// <param name="node">The node object, for the lease to go with it.</param>
    /// <param name="cancellationToken">Ends the renewals.</param>
    /// <exception cref="InvalidOperationException">Another host has taken the node.</exception>
    public async Task RunAsync(Task<Node> node, CancellationToken cancellationToken)
    {
        var owned = false;
        while (true)
        {
            var renewed = false;
            try
            {
                var owner = !owned && node.IsCompletedSuccessfully ? await node.ConfigureAwait(false) : null;
                await RenewAsync(owner, cancellationToken).ConfigureAwait(false);
                (owned, renewed) = (owned || owner is not null, true);
            }
            catch (Exception e) when (IsTrouble(e, cancellationToken))
            {
                LogFailed(nodeName, e.Message);
            }

            // Until the node is there the lease is not its own yet.
            await Task.Delay(renewed && owned ? Interval : RetryInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Lets the next host have the node at once. The node stays ready for the rest of the lease.</summary>
    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_held is { } lease)
            {
                lease.Spec.HolderIdentity = "";
                await client.ReplaceAsync(Resources.Leases, lease, null, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is KubernetesApiException or OperationCanceledException)
        {
            LogFailed(nodeName, e.Message);
        }
    }

    private bool IsOurs(Lease lease) => lease.Spec.HolderIdentity is null or "" || lease.Spec.HolderIdentity == holder;

    private bool IsFree(Lease lease)
    {
        if (IsOurs(lease))
        {
            return true;
        }

        if (_seen is { } seen && seen.Version == lease.Metadata.ResourceVersion)
        {
            return time.GetElapsedTime(seen.Since) > Duration;
        }

        _seen = (lease.Metadata.ResourceVersion, time.GetTimestamp());
        return false;
    }

    private async Task RenewAsync(Node? node, CancellationToken cancellationToken)
    {
        try
        {
            await HoldAsync(_held, node, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesApiException e) when (e.IsConflict || e.IsNotFound || e.IsAlreadyExists)
        {
            var lease = await FindAsync(cancellationToken).ConfigureAwait(false);
            if (lease is not null && !IsOurs(lease))
            {
                throw new InvalidOperationException($"another host, {lease.Spec.HolderIdentity}, has taken the node {nodeName}");
            }

            await HoldAsync(lease, node, cancellationToken).ConfigureAwait(false);
        }
    }

    // The version it was read with makes the API server refuse what another host did not know of.
    private async Task HoldAsync(Lease? lease, Node? node, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Interval, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var wanted = new Lease
        {
            Metadata = lease?.Metadata ?? new ObjectMeta { Namespace = Namespace, Name = nodeName },
            Spec = new LeaseSpec { HolderIdentity = holder, LeaseDurationSeconds = (int)Duration.TotalSeconds, RenewTime = Later(lease?.Spec.RenewTime) },
        };
        if (node?.Metadata.Uid is { } uid)
        {
            wanted.Metadata.OwnerReferences = [new OwnerReference { ApiVersion = "v1", Kind = "Node", Name = nodeName, Uid = uid }];
        }

        _held = lease is null
            ? await client.CreateAsync(Resources.Leases, wanted, bounded.Token).ConfigureAwait(false)
            : await client.ReplaceAsync(Resources.Leases, wanted, null, bounded.Token).ConfigureAwait(false);
    }

    // The controller manager takes an earlier time for no renewal, and a clock may be set back.
    private DateTimeOffset Later(DateTimeOffset? last) => time.GetUtcNow() is var now && !(now <= last) ? now : last.Value.AddMilliseconds(1);

    private async Task<Lease?> FindAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Interval, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await client.GetAsync(Resources.Leases, _key, bounded.Token).ConfigureAwait(false);
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    private static bool IsTrouble(Exception exception, CancellationToken cancellationToken) =>
        exception is KubernetesApiException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    [LoggerMessage(20, LogLevel.Warning, "The lease of node {Node} could not be renewed: {Problem}")]
    private partial void LogFailed(string node, string problem);

    [LoggerMessage(21, LogLevel.Warning, "Node {Node} is looked after by another host, {Holder}; this one waits for its end")]
    private partial void LogWaiting(string node, string holder);
}
