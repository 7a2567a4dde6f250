using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Kip.Kubernetes.Configuration;

/// <summary>Reads PEM text; what is wrong is told with the place it came from.</summary>
internal static class Pem
{
    public static X509Certificate2Collection ReadAuthorities(string text, string source)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPem(text);
        }
        catch (CryptographicException e)
        {
            throw new KubernetesConfigurationException($"{source}: no certificates in PEM: {e.Message}", e);
        }

        return authorities.Count > 0 ? authorities : throw new KubernetesConfigurationException($"{source}: there is no certificate in it");
    }

    public static SslStreamCertificateContext ReadClientCertificate(string certificate, string key, string source, string keySource)
    {
        var chain = ReadAuthorities(certificate, source);
        try
        {
            // The first certificate is the client's, those after it are its issuers.
            var client = X509Certificate2.CreateFromPem(certificate, key);
            chain.RemoveAt(0);
            return SslStreamCertificateContext.Create(client, chain, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new KubernetesConfigurationException($"{keySource}: no private key for {source}: {e.Message}", e);
        }
    }
}
