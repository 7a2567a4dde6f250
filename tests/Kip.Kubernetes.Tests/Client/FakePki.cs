using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Kip.Kubernetes.Tests.Client;

/// <summary>An authority and what it signs, for tests.</summary>
internal sealed class FakePki : IDisposable
{
    private static readonly DateTimeOffset Start = TimeProvider.System.GetUtcNow().AddDays(-1);

    private readonly X509Certificate2 _authority;

    public FakePki(string name = "authority")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _authority = request.CreateSelfSigned(Start, Start.AddDays(10));
    }

    public string AuthorityPem => _authority.ExportCertificatePem();

    public X509Certificate2Collection Authorities => [X509CertificateLoader.LoadCertificate(_authority.RawData)];

    /// <summary>A server's certificate, for 127.0.0.1 unless a name is given.</summary>
    public X509Certificate2 Server(string? name = null) => Sign("CN=server", "1.3.6.1.5.5.7.3.1", names =>
    {
        if (name is null)
        {
            names.AddIpAddress(IPAddress.Loopback);
        }
        else
        {
            names.AddDnsName(name);
        }
    });

    /// <summary>A client's certificate and its key as PEM.</summary>
    public (string Certificate, string Key) Client(string name)
    {
        using var certificate = Sign($"CN={name}", "1.3.6.1.5.5.7.3.2", null);
        using var key = certificate.GetECDsaPrivateKey()!;
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    public void Dispose() => _authority.Dispose();

    private X509Certificate2 Sign(string subject, string usage, Action<SubjectAlternativeNameBuilder>? addNames)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        if (addNames is not null)
        {
            var names = new SubjectAlternativeNameBuilder();
            addNames(names);
            request.CertificateExtensions.Add(names.Build());
        }

        using var certificate = request.Create(_authority, Start, Start.AddDays(9), RandomNumberGenerator.GetBytes(8));
        return certificate.CopyWithPrivateKey(key);
    }
}
