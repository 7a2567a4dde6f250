using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Kubernetes.Leases;

/// <summary>
/// Lets one of many candidates lead, by a lease. A leader that cannot renew stops before others may take over, provided that clocks
/// run equally fast; what the clocks show does not matter, since each candidate times by its own what it sees of the lease.
/// </summary>
public sealed partial class LeaderElector
{
    private readonly IKubernetesClient _client;
    private readonly LeaderElectionOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly Random _random;
    private readonly ILogger _log;
    private Lease? _seen;
    private long _seenAt;
    private long _renewedAt;

    /// <summary>Makes a candidate.</summary>
    /// <exception cref="ArgumentException">The times are not in order.</exception>
    public LeaderElector(
        IKubernetesClient client, LeaderElectionOptions options, TimeProvider timeProvider, Random random, ILogger<LeaderElector> log)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.Identity, nameof(options));
        if (options.RetryPeriod <= TimeSpan.Zero || options.RenewDeadline <= options.RetryPeriod || options.LeaseDuration <= options.RenewDeadline)
        {
            throw new ArgumentException(
                $"{nameof(options.RetryPeriod)} must be less than {nameof(options.RenewDeadline)}, and that less than {nameof(options.LeaseDuration)}",
                nameof(options));
        }

        _client = client;
        _options = options;
        _timeProvider = timeProvider;
        _random = random;
        _log = log;
    }

    /// <summary>Who holds the lease, as last seen; null when nobody does.</summary>
    public string? Holder => Volatile.Read(ref _seen)?.Spec.HolderIdentity is { Length: > 0 } holder ? holder : null;

    /// <summary>
    /// Waits for the lease and leads. When the lease is lost, the token that <paramref name="lead"/> gets is cancelled, and after it
    /// has ended the wait begins anew. Returns when <paramref name="lead"/> ends by itself; the lease is then free at once.
    /// </summary>
    /// <param name="lead">What the leader does.</param>
    /// <param name="cancellationToken">Ends it all; the lease is given back.</param>
    public async Task RunAsync(Func<CancellationToken, Task> lead, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lead);
        while (true)
        {
            while (!await TryHoldAsync(cancellationToken))
            {
                await PauseAsync(cancellationToken);
            }

            LogLeading(_options.Identity, _options.Lease);
            if (await LeadAsync(lead, cancellationToken))
            {
                return;
            }

            LogLost(_options.Identity, _options.Lease);
        }
    }

    /// <summary>Whether the leader ended by itself; otherwise the lease was lost.</summary>
    private async Task<bool> LeadAsync(Func<CancellationToken, Task> lead, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var renewal = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var leading = Task.Run(() => lead(ended.Token), CancellationToken.None);
        var renewing = RenewUntilLostAsync(renewal.Token);
        var lost = await Task.WhenAny(leading, renewing) == renewing && !cancellationToken.IsCancellationRequested;
        try
        {
            await ended.CancelAsync();
            await leading;
        }
        catch (OperationCanceledException) when (lost)
        {
            // It was told to end.
        }
        finally
        {
            await renewal.CancelAsync();
            await renewing;
            if (!lost)
            {
                await ReleaseAsync();
            }
        }

        return !lost;
    }

    /// <summary>Returns when the lease is lost or renewing is cancelled.</summary>
    private async Task RenewUntilLostAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await PauseAsync(cancellationToken, atMost: Left());
                var left = Left();
                if (left <= TimeSpan.Zero)
                {
                    return;
                }

                using var deadline = new CancellationTokenSource(left, _timeProvider);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
                try
                {
                    if (!await TryHoldAsync(either.Token) && Holder is { } holder && holder != _options.Identity)
                    {
                        return;
                    }
                }
                catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The way this ends.
        }

        TimeSpan Left() => _options.RenewDeadline - _timeProvider.GetElapsedTime(_renewedAt);
    }

    /// <summary>Gets or renews the lease; false when somebody else has it or the API server does not do it.</summary>
    private async Task<bool> TryHoldAsync(CancellationToken cancellationToken)
    {
        try
        {
            var lease = Holder == _options.Identity ? _seen : await ReadAsync(cancellationToken);
            if (lease is not null && !IsFree(lease))
            {
                return false;
            }

            // From before the call: others count from when they see it, which is later.
            var began = _timeProvider.GetTimestamp();
            See(lease is null
                ? await _client.CreateAsync(Resources.Leases, Claim(null), cancellationToken)
                : await _client.ReplaceAsync(Resources.Leases, Claim(lease), null, cancellationToken));
            _renewedAt = began;
            return true;
        }
        catch (KubernetesApiException e)
        {
            LogFailure(_options.Lease, e.Message);
            if (e.IsConflict || e.IsNotFound || e.IsAlreadyExists)
            {
                // Somebody else wrote it: what was seen is no longer so.
                await TryReadAsync(cancellationToken);
            }

            return false;
        }
    }

    private async Task<Lease?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var lease = await _client.GetAsync(Resources.Leases, _options.Lease, cancellationToken);
            See(lease);
            return lease;
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            Volatile.Write(ref _seen, null);
            return null;
        }
    }

    private async Task TryReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ReadAsync(cancellationToken);
        }
        catch (KubernetesApiException e)
        {
            LogFailure(_options.Lease, e.Message);
        }
    }

    private void See(Lease lease)
    {
        if (_seen?.Metadata.ResourceVersion != lease.Metadata.ResourceVersion || _seen?.Metadata.Uid != lease.Metadata.Uid)
        {
            Volatile.Write(ref _seen, lease);
            _seenAt = _timeProvider.GetTimestamp();
        }
    }

    private bool IsFree(Lease lease)
    {
        var holder = lease.Spec.HolderIdentity;
        return string.IsNullOrEmpty(holder)
            || holder == _options.Identity
            || _timeProvider.GetElapsedTime(_seenAt) > TimeSpan.FromSeconds(lease.Spec.LeaseDurationSeconds ?? 0);
    }

    private Lease Claim(Lease? lease)
    {
        var now = _timeProvider.GetUtcNow();
        var isMine = lease?.Spec.HolderIdentity == _options.Identity;
        return new Lease
        {
            Metadata = lease?.Metadata ?? new ObjectMeta { Namespace = _options.Lease.Namespace, Name = _options.Lease.Name },
            Spec = new LeaseSpec
            {
                HolderIdentity = _options.Identity,
                LeaseDurationSeconds = (int)Math.Ceiling(_options.LeaseDuration.TotalSeconds),
                AcquireTime = isMine ? lease!.Spec.AcquireTime : now,
                RenewTime = now,
                LeaseTransitions = (lease?.Spec.LeaseTransitions ?? -1) + (isMine ? 0 : 1),
                Unknown = lease?.Spec.Unknown,
            },
            Unknown = lease?.Unknown,
        };
    }

    private async Task ReleaseAsync()
    {
        if (_seen is not { } lease || Holder != _options.Identity)
        {
            return;
        }

        using var deadline = new CancellationTokenSource(_options.RetryPeriod, _timeProvider);
        try
        {
            var free = Claim(lease);
            free.Spec.HolderIdentity = "";
            free.Spec.LeaseDurationSeconds = 1;
            See(await _client.ReplaceAsync(Resources.Leases, free, null, deadline.Token));
        }
        catch (Exception e) when (e is KubernetesApiException or OperationCanceledException)
        {
            // Others wait until it runs out.
            LogFailure(_options.Lease, e.Message);
        }
    }

    private Task PauseAsync(CancellationToken cancellationToken, TimeSpan? atMost = null)
    {
        var pause = _options.RetryPeriod * (1 + (0.2 * _random.NextDouble()));
        pause = atMost < pause ? atMost.Value : pause;
        return pause > TimeSpan.Zero ? Task.Delay(pause, _timeProvider, cancellationToken) : Task.CompletedTask;
    }

    [LoggerMessage(30, LogLevel.Information, "{Identity} holds lease {Lease} and leads")]
    private partial void LogLeading(string identity, ObjectKey lease);

    [LoggerMessage(31, LogLevel.Warning, "{Identity} has lost lease {Lease}")]
    private partial void LogLost(string identity, ObjectKey lease);

    [LoggerMessage(32, LogLevel.Information, "Lease {Lease} could not be written: {Problem}")]
    private partial void LogFailure(ObjectKey lease, string problem);
}
