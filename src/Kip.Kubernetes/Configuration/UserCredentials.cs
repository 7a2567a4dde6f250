using System.Net.Security;

namespace Kip.Kubernetes.Configuration;

/// <summary>A token and a client certificate, each fixed or from files that are read again.</summary>
internal sealed class UserCredentials(
    string? token, ReloadedFile<string>? tokenFile, SslStreamCertificateContext? certificate, ReloadedFile<SslStreamCertificateContext>? certificateFiles)
    : IKubernetesCredentials
{
    private KubernetesCredential _current = KubernetesCredential.Anonymous;

    public ValueTask<KubernetesCredential> GetAsync(CancellationToken cancellationToken)
    {
        var currentToken = tokenFile?.Get() ?? token;
        var currentCertificate = certificateFiles?.Get() ?? certificate;
        var current = Volatile.Read(ref _current);
        if (!ReferenceEquals(current.Token, currentToken) || !ReferenceEquals(current.ClientCertificate, currentCertificate))
        {
            current = new KubernetesCredential { Token = currentToken, ClientCertificate = currentCertificate };
            Volatile.Write(ref _current, current);
        }

        return new(current);
    }

    public bool Refuse(KubernetesCredential credential)
    {
        tokenFile?.Expire();
        certificateFiles?.Expire();
        return tokenFile is not null || certificateFiles is not null;
    }
}
