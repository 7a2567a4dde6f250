using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Kip.Agent.Enrolment;

/// <summary>Who may connect: only holders of a client certificate that the controller's authority signed.</summary>
internal sealed class ClientCertificates(AgentIdentity identity, X509Certificate2 authority)
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    /// <summary>How to shake hands on the next connection.</summary>
    public SslServerAuthenticationOptions Handshake()
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.Add(authority);
        policy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = identity.Serving,
            ClientCertificateRequired = true,
            CertificateChainPolicy = policy,
            RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                errors == SslPolicyErrors.None && certificate is X509Certificate2 client && IsForClients(client),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            AllowRenegotiation = false,
        };
    }

    /// <summary>A certificate without any extended key usage would pass the chain policy; here it must say what it is for.</summary>
    private static bool IsForClients(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>()
            .Any(usage => usage.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value == ClientAuthentication));
}
