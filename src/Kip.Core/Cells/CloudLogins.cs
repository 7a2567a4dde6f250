using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Drivers;
using Kip.Kubernetes;

namespace Kip.Cells;

/// <summary>The logins that the cloud gives for its own registries, for all cells: each is asked for once, and anew at half of its life.</summary>
/// <param name="source">The driver; null for one that gives none.</param>
/// <param name="time">The clock.</param>
internal sealed class CloudLogins(IRegistryLogins? source, TimeProvider time)
{
    // A pod waits for it, though not for ever: the image may be had without.
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);

    // Who may run pods may name registries: those long forgotten must not fill the memory.
    private const int KeptRegistries = 256;

    private readonly ConcurrentDictionary<string, Lazy<Task<Login>>> _known = new(StringComparer.Ordinal);

    /// <summary>Logins for the registries of images, but for those that there is a login for already.</summary>
    public async Task<CloudLoginSet> GetAsync(IEnumerable<string?> images, IReadOnlyCollection<RegistryCredential> own, CancellationToken cancellationToken)
    {
        if (source is null)
        {
            return CloudLoginSet.None;
        }

        var registries = images
            .Select(static image => ImageReference.TryParse(image, out var reference, out _) ? reference.Domain : null).OfType<string>()
            .Distinct(StringComparer.Ordinal).Where(registry => own.All(login => login.Registry != registry));
        var found = await Task.WhenAll(registries.Select(registry => GetAsync(registry, cancellationToken))).ConfigureAwait(false);
        return new CloudLoginSet(
            [.. found.Select(static each => each.Credential).OfType<RegistryCredential>()],
            [.. found.Select(static each => each.Problem).OfType<string>()],
            found.Where(static each => each.Matters).Select(static each => each.RenewAt).Append(DateTimeOffset.MaxValue).Min());
    }

    private async Task<Login> GetAsync(string registry, CancellationToken cancellationToken)
    {
        while (true)
        {
            var known = _known.GetOrAdd(registry, name => new Lazy<Task<Login>>(() => AskAsync(name, null)));
            if (!known.Value.IsCompletedSuccessfully || time.GetUtcNow() < known.Value.Result.RenewAt)
            {
                return await known.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            var before = known.Value.Result;
            _known.TryUpdate(registry, new Lazy<Task<Login>>(() => AskAsync(registry, before)), known);
            Trim();
        }
    }

    /// <summary>Never fails: what went wrong is an answer too, and the same for all who wait.</summary>
    private async Task<Login> AskAsync(string registry, Login? before)
    {
        try
        {
            using var timeout = new CancellationTokenSource(CallTimeout, time);
            if (await source!.GetRegistryLoginAsync(registry, timeout.Token).ConfigureAwait(false) is not { } login)
            {
                return new Login(null, null, time.GetUtcNow() + RetryAfter, default, Matters: false);
            }

            var now = time.GetUtcNow();
            var renewAt = now + ((login.ExpiresAt - now) / 2);
            return new Login(
                new RegistryCredential(registry, login.Username, login.Password), null, renewAt > now + RetryAfter ? renewAt : now + RetryAfter, login.ExpiresAt, Matters: true);
        }
        catch (Exception e)
        {
            // Whatever a driver throws: the pod's owner is told, and the pull is tried.
            var now = time.GetUtcNow();
            var problem = e is OperationCanceledException ? $"there was no answer within {CallTimeout.TotalSeconds:0} s" : e.Message;
            return before is { Credential: not null } && now < before.ExpiresAt
                ? before with { RenewAt = now + RetryAfter }
                : new Login(null, $"{registry}: {problem}", now + RetryAfter, default, Matters: true);
        }
    }

    private void Trim()
    {
        if (_known.Count > KeptRegistries)
        {
            var now = time.GetUtcNow();
            foreach (var old in _known.Where(each => each.Value.Value.IsCompletedSuccessfully && each.Value.Value.Result.RenewAt <= now))
            {
                _known.TryRemove(old);
            }
        }
    }

    /// <param name="Credential">Null when there is none.</param>
    /// <param name="Problem">Why there is none although there should be.</param>
    /// <param name="RenewAt">When to ask again.</param>
    /// <param name="ExpiresAt">When it is no good any more.</param>
    /// <param name="Matters">Whether the registry is the cloud's.</param>
    private sealed record Login(RegistryCredential? Credential, string? Problem, DateTimeOffset RenewAt, DateTimeOffset ExpiresAt, bool Matters);
}

/// <summary>Logins for the images of one pod.</summary>
/// <param name="Credentials">The logins.</param>
/// <param name="Problems">Those that could not be had, and why.</param>
/// <param name="RenewAt">When to ask again.</param>
internal sealed record CloudLoginSet(IReadOnlyList<RegistryCredential> Credentials, IReadOnlyList<string> Problems, DateTimeOffset RenewAt)
{
    public static CloudLoginSet None { get; } = new([], [], DateTimeOffset.MaxValue);
}
