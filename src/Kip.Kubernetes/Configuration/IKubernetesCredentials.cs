using System.Net.Security;

namespace Kip.Kubernetes.Configuration;

/// <summary>Who calls the API server. Asked before each call, so answers from memory wherever it can. Safe for concurrent use.</summary>
public interface IKubernetesCredentials
{
    /// <summary>The credential that is good now.</summary>
    /// <exception cref="KubernetesConfigurationException">There is none; the message says why.</exception>
    ValueTask<KubernetesCredential> GetAsync(CancellationToken cancellationToken);

    /// <summary>Says that the API server did not accept a credential (401): a fresh one is wanted next time.</summary>
    /// <returns>Whether there may be another one.</returns>
    bool Refuse(KubernetesCredential credential);
}

/// <summary>What proves who calls. The certificate is compared by reference: another instance means new connections.</summary>
public sealed class KubernetesCredential
{
    /// <summary>Nobody in particular.</summary>
    public static KubernetesCredential Anonymous { get; } = new();

    /// <summary>The bearer token, or null.</summary>
    public string? Token { get; init; }

    /// <summary>The client certificate with its chain, or null.</summary>
    public SslStreamCertificateContext? ClientCertificate { get; init; }
}
