using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Nodes;

/// <summary>
/// The node's lease. Renewing it tells the cluster that the node lives, and its holder is the one host that looks after the node: another
/// one waits. Give it a client of its own: nothing else the host does may keep a renewal waiting.
/// </summary>
/// <remarks>
/// An API server that cannot be reached costs no host its node: without it nobody else can take the node either. No clock is believed, only
/// what time has passed on the own one: a lease is free when a host that looked all the time saw it unchanged for <see cref="TakeOverAfter"/>,
/// and a holder that could not renew it for <see cref="SureFor"/>, which is less, holds back all it does until it can.
/// </remarks>
internal sealed partial class NodeLease(IKubernetesClient client, string nodeName, string holder, TimeProvider time, ILogger logger)
{
    public const string Namespace = "kube-node-lease";

    /// <summary>How long a lease was seen unchanged before another host takes it.</summary>
    public static readonly TimeSpan TakeOverAfter = TimeSpan.FromSeconds(11);

    /// <summary>How long after its last renewal a host may act.</summary>
    public static readonly TimeSpan SureFor = TimeSpan.FromSeconds(8);

    // For the cluster, which counts for itself: a kubelet's.
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan RenewInterval = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);

    // Who looks less often than this does not know whether the lease could have been renewed in between.
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly ObjectKey _key = new(Namespace, nodeName);
    private readonly TaskCompletionSource _acquired = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Lease? _held;
    private long? _renewedAt;
    private TaskCompletionSource _renewal = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (string? Version, long Since, long Last)? _seen; // of a lease that another host holds

    /// <inheritdoc cref="VirtualNodeOptions.HasEnded"/>
    public Func<string, bool> HasEnded { get; init; } = static _ => false;

    /// <summary>Completes when this host holds the node.</summary>
    public Task Acquired => _acquired.Task;

    /// <summary>Whether another host was seen to have taken the node.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Whether no other host can have taken the node, as far as can be known without asking.</summary>
    public bool IsSure
    {
        get
        {
            lock (_lock)
            {
                return _renewedAt is { } at && time.GetElapsedTime(at) <= SureFor;
            }
        }
    }

    /// <summary>Waits until no other host holds the node, and takes it.</summary>
    public async Task<TakenLease> AcquireAsync(CancellationToken cancellationToken)
    {
        string? waitedFor = null;
        var isForced = false;
        while (true)
        {
            try
            {
                var lease = await FindAsync(cancellationToken).ConfigureAwait(false);
                if (lease is null || IsFree(lease))
                {
                    // Also when the answer is lost, and this host is the holder at the next look.
                    isForced |= lease is not null && !IsOurs(lease);
                    await HoldAsync(lease, null, cancellationToken).ConfigureAwait(false);
                    _acquired.TrySetResult();
                    return new TakenLease(lease?.Spec.RenewTime, isForced);
                }

                if (waitedFor != lease.Spec.HolderIdentity)
                {
                    waitedFor = lease.Spec.HolderIdentity;
                    LogWaiting(nodeName, waitedFor ?? "");
                }
            }
            catch (Exception e) when (IsTrouble(e, cancellationToken))
            {
                // The holder may have had the same trouble: it is given all of its time anew.
                _seen = null;
                LogFailed(nodeName, e.Message);
            }

            await Task.Delay(LookInterval, time, cancellationToken).ConfigureAwait(false);
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
            var pause = LookInterval;
            try
            {
                var owner = !owned && node.IsCompletedSuccessfully ? await node.ConfigureAwait(false) : null;
                await RenewAsync(owner, cancellationToken).ConfigureAwait(false);
                owned |= owner is not null;
                // Until the node is there the lease is not its own yet.
                pause = owned ? RenewInterval : LookInterval;
            }
            catch (Exception e) when (IsTrouble(e, cancellationToken))
            {
                LogFailed(nodeName, e.Message);
                pause = Pause((e as KubernetesApiException)?.RetryAfter);
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Completes at once while nobody else can have taken the node, and otherwise when the lease is renewed. What is done after it may be
    /// late all the same, by a process that is stopped in this very moment: whatever it changes must be refused by its version.
    /// </summary>
    public ValueTask WaitUntilSureAsync(CancellationToken cancellationToken)
    {
        return IsSure ? ValueTask.CompletedTask : new ValueTask(WaitAsync());

        async Task WaitAsync()
        {
            LogHeldBack(nodeName);
            while (true)
            {
                Task renewal;
                lock (_lock)
                {
                    renewal = _renewal.Task;
                }

                if (IsSure)
                {
                    return;
                }

                await renewal.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
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
        if (IsOurs(lease) || HasEnded(lease.Spec.HolderIdentity!))
        {
            return true;
        }

        var now = time.GetTimestamp();
        if (_seen is { } seen && seen.Version == lease.Metadata.ResourceVersion && time.GetElapsedTime(seen.Last, now) <= LongestGap)
        {
            _seen = seen with { Last = now };
            return time.GetElapsedTime(seen.Since, now) >= TakeOverAfter;
        }

        _seen = (lease.Metadata.ResourceVersion, now, now);
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
                lock (_lock)
                {
                    (_renewedAt, IsLost) = (null, true);
                }

                throw new InvalidOperationException($"another host, {lease.Spec.HolderIdentity}, has taken the node {nodeName}");
            }

            await HoldAsync(lease, node, cancellationToken).ConfigureAwait(false);
        }
    }

    // The version it was read with makes the API server refuse what another host did not know of.
    private async Task HoldAsync(Lease? lease, Node? node, CancellationToken cancellationToken)
    {
        // From before the call: others count from when they see it, which is later.
        var began = time.GetTimestamp();
        using var timeout = new CancellationTokenSource(CallTimeout, time);
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
        TaskCompletionSource told;
        lock (_lock)
        {
            _renewedAt = began;
            told = _renewal;
            _renewal = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        told.SetResult();
    }

    // The controller manager takes an earlier time for no renewal, and a clock may be set back.
    private DateTimeOffset Later(DateTimeOffset? last) => time.GetUtcNow() is var now && !(now <= last) ? now : last.Value.AddMilliseconds(1);

    private async Task<Lease?> FindAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(CallTimeout, time);
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

    // A busy API server is spared as it asks, but never so long that the node would be lost by it.
    private static TimeSpan Pause(TimeSpan? asked) => asked is not { } pause || pause < LookInterval ? LookInterval : pause < RenewInterval ? pause : RenewInterval;

    private static bool IsTrouble(Exception exception, CancellationToken cancellationToken) =>
        exception is KubernetesApiException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    [LoggerMessage(20, LogLevel.Warning, "The lease of node {Node} could not be renewed: {Problem}")]
    private partial void LogFailed(string node, string problem);

    [LoggerMessage(21, LogLevel.Warning, "Node {Node} is looked after by another host, {Holder}; this one waits for its end")]
    private partial void LogWaiting(string node, string holder);

    [LoggerMessage(22, LogLevel.Debug, "What was to be done for node {Node} is held back until its lease is renewed")]
    private partial void LogHeldBack(string node);
}

/// <summary>A lease that was taken.</summary>
/// <param name="LastRenewed">When the host before this one, this node's or itself, last said that it lived; null when there was none.</param>
/// <param name="IsForced">Whether that host did not give it back: it may still be under way, cut off or stopped.</param>
internal readonly record struct TakenLease(DateTimeOffset? LastRenewed, bool IsForced);
