using System.Collections.Concurrent;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>The tokens of one pod: bound to it, kept while they are good, made anew when 80 % of their life is over.</summary>
internal sealed partial class ServiceAccountTokens(IObjectSource source, TimeProvider time, ILogger logger)
{
    private const long DefaultSeconds = 3600;
    private const double UsedShare = 0.8;

    /// <summary>However long its life, a token is made anew after a day.</summary>
    private static readonly TimeSpan LongestUse = TimeSpan.FromHours(24);

    /// <summary>A token that could not be made anew is tried again so long before it must be there.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<ServiceAccountTokenProjection, Token> _tokens = new(new SameToken());

    /// <summary>When the first of them is to be made anew; null when there are none.</summary>
    public DateTimeOffset? RefreshAt => _tokens.IsEmpty ? null : _tokens.Values.Min(static token => token.RefreshAt);

    /// <summary>A token for one source of a volume.</summary>
    /// <exception cref="KubernetesApiException">It cannot be made, and there is no older one that is still good.</exception>
    public async Task<string> GetAsync(Pod pod, ServiceAccountTokenProjection projection, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var known = _tokens.GetValueOrDefault(projection);
        if (known is not null && now < known.RefreshAt)
        {
            return known.Text;
        }

        var account = new ObjectKey(pod.Metadata.Namespace!, PodReferences.ServiceAccountOf(pod));
        try
        {
            var made = await source.CreateTokenAsync(account, Request(pod, projection), cancellationToken).ConfigureAwait(false);
            var expires = made.ExpirationTimestamp ?? now + TimeSpan.FromSeconds(projection.ExpirationSeconds ?? DefaultSeconds);
            var use = (expires - now) * UsedShare;
            _tokens[projection] = new Token(made.Token, now + (use < LongestUse ? use : LongestUse), expires);
            return made.Token;
        }
        catch (KubernetesApiException e) when (known is not null && now < known.ExpiresAt)
        {
            LogKept(e, account, known.ExpiresAt);
            _tokens[projection] = known with { RefreshAt = now + RetryAfter };
            return known.Text;
        }
    }

    private static TokenRequestSpec Request(Pod pod, ServiceAccountTokenProjection projection) => new()
    {
        Audiences = projection.Audience is { Length: > 0 } audience ? [audience] : [],
        ExpirationSeconds = projection.ExpirationSeconds ?? DefaultSeconds,
        BoundObjectRef = new BoundObjectReference { ApiVersion = "v1", Kind = "Pod", Name = pod.Metadata.Name, Uid = pod.Metadata.Uid },
    };

    [LoggerMessage(1, LogLevel.Warning, "The token of service account {Account} could not be made anew; the old one is good until {End}")]
    private partial void LogKept(Exception error, ObjectKey account, DateTimeOffset end);

    private sealed record Token(string Text, DateTimeOffset RefreshAt, DateTimeOffset ExpiresAt)
    {
        public override string ToString() => $"a token good until {ExpiresAt:O}";
    }

    /// <summary>The path does not make another token.</summary>
    private sealed class SameToken : IEqualityComparer<ServiceAccountTokenProjection>
    {
        public bool Equals(ServiceAccountTokenProjection? x, ServiceAccountTokenProjection? y) =>
            (x?.Audience, x?.ExpirationSeconds) == (y?.Audience, y?.ExpirationSeconds);

        public int GetHashCode(ServiceAccountTokenProjection obj) => HashCode.Combine(obj.Audience, obj.ExpirationSeconds);
    }
}
