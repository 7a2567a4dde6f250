using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Kip.VirtualKubelet.Server;

/// <summary>Certificates as a server shows them: with those of their issuers that clients need not have.</summary>
internal static class ServingCertificates
{
    /// <summary>Reads PEM texts.</summary>
    /// <param name="certificates">The certificate, then those of its issuers, if any; anything else in the text is passed over.</param>
    /// <param name="key">Its private key.</param>
    /// <param name="source">Where they come from, for the error.</param>
    /// <exception cref="CryptographicException">There is no certificate and its key.</exception>
    public static SslStreamCertificateContext Read(string certificates, string key, string source)
    {
        try
        {
            var own = X509Certificate2.CreateFromPem(certificates, key);
            var issuers = new X509Certificate2Collection();
            issuers.ImportFromPem(certificates);
            issuers.RemoveAt(0);
            return SslStreamCertificateContext.Create(own, issuers, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CryptographicException($"{source}: no certificate and its private key in PEM: {e.Message}", e);
        }
    }
}
