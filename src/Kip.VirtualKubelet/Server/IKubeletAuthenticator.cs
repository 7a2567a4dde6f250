using System.Security.Cryptography.X509Certificates;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Server;

/// <summary>Finds out who a caller is.</summary>
public interface IKubeletAuthenticator
{
    /// <summary>The caller; null when neither the certificate nor the token says so. Not to be changed.</summary>
    /// <param name="certificate">What the caller proved to have the key of, but nobody has verified; or null.</param>
    /// <param name="token">The bearer token, or null.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    Task<UserInfo?> AuthenticateAsync(X509Certificate2? certificate, string? token, CancellationToken cancellationToken);
}
