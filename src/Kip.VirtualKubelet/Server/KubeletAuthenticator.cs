using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>
/// Callers by a client certificate of the cluster's authority, or by a bearer token that the API server is asked about
/// (TokenReview). Answers are remembered for two minutes, refusals for ten seconds.
/// </summary>
/// <param name="clientAuthorities">The authorities whose client certificates count, asked for anew each time; none: no certificate counts.</param>
/// <param name="client">Asks about tokens; null: no token counts.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Told of what could not be found out.</param>
public sealed partial class KubeletAuthenticator(
    Func<X509Certificate2Collection> clientAuthorities, IKubernetesClient? client, TimeProvider time, ILogger log) : IKubeletAuthenticator
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private const string CommonName = "2.5.4.3";
    private const string Organization = "2.5.4.10";
    private const string AuthenticatedGroup = "system:authenticated";
    private const int MaxAnswers = 1024;
    private static readonly TimeSpan KnownFor = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan UnknownFor = TimeSpan.FromSeconds(10);

    private readonly ExpiringCache<string, UserInfo?> _answers = new(time, MaxAnswers);

    /// <inheritdoc/>
    public async Task<UserInfo?> AuthenticateAsync(X509Certificate2? certificate, string? token, CancellationToken cancellationToken)
    {
        if (certificate is not null && IsTrusted(certificate) && ReadUser(certificate) is { } user)
        {
            return user;
        }

        return token is not null && client is not null
            ? await ReviewAsync(client, token, cancellationToken).ConfigureAwait(false)
            : null;
    }

    private static UserInfo? ReadUser(X509Certificate2 certificate)
    {
        string? name = null;
        var groups = new List<string>();
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.HasMultipleElements)
            {
                continue;
            }

            switch (part.GetSingleElementType().Value)
            {
                case CommonName:
                    name = part.GetSingleElementValue();
                    break;
                case Organization when part.GetSingleElementValue() is { } group:
                    groups.Add(group);
                    break;
                default:
                    break;
            }
        }

        groups.Add(AuthenticatedGroup);
        return string.IsNullOrEmpty(name) ? null : new UserInfo { Username = name, Groups = groups };
    }

    private bool IsTrusted(X509Certificate2 certificate)
    {
        var authorities = clientAuthorities();
        if (authorities.Count == 0)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = time.GetLocalNow().DateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        var isTrusted = chain.Build(certificate);
        foreach (var element in chain.ChainElements)
        {
            element.Certificate.Dispose();
        }

        return isTrusted;
    }

    private async Task<UserInfo?> ReviewAsync(IKubernetesClient api, string token, CancellationToken cancellationToken)
    {
        // Not the token itself: what is remembered may end up in a dump.
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        if (_answers.TryGet(key, out var known))
        {
            return known;
        }

        try
        {
            var review = await api.CreateAsync(
                Resources.TokenReviews, new TokenReview { Spec = new() { Token = token } }, cancellationToken).ConfigureAwait(false);
            var user = review.Status is { Authenticated: true, User: { Username.Length: > 0 } reviewed } ? reviewed : null;
            _answers.Set(key, user, user is null ? UnknownFor : KnownFor);
            return user;
        }
        catch (KubernetesApiException error)
        {
            // Whoever cannot be known is nobody.
            LogReviewFailed(error.Message);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "a caller's token could not be checked: {Error}")]
    private partial void LogReviewFailed(string error);
}
