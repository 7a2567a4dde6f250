using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Agents;

namespace Kip.Agent.Tests.Support;

/// <summary>A certificate authority as the controller has one.</summary>
internal sealed class TestAuthority : IDisposable
{
    public const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    public const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public TestAuthority()
    {
        var request = new CertificateRequest("CN=test authority", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        Certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-2), TimeProvider.System.GetUtcNow().AddDays(3));
    }

    public X509Certificate2 Certificate { get; }

    public string Pem => Certificate.ExportCertificatePem();

    /// <summary>The same authority as the controller's code has it.</summary>
    /// <param name="directory">Where it may put its files.</param>
    public async Task<CertificateAuthority> ForControllerAsync(string directory)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await File.WriteAllTextAsync(Path.Combine(directory, "ca.crt"), Pem);
        await File.WriteAllTextAsync(Path.Combine(directory, "ca.key"), _key.ExportPkcs8PrivateKeyPem());
        return await CertificateAuthority.LoadOrCreateAsync(directory, TimeProvider.System, CancellationToken.None);
    }

    /// <summary>A client certificate with its key.</summary>
    public X509Certificate2 Client(string usage = ClientAuthentication)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=controller", key, HashAlgorithmName.SHA256);
        using var certificate = Issue(request, usage).CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>A server certificate for a signing request of the agent.</summary>
    public byte[] Sign(byte[] signingRequest, string? otherName = null)
    {
        var request = CertificateRequest.LoadSigningRequest(
            signingRequest, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
        if (otherName is not null)
        {
            request = new CertificateRequest(new X500DistinguishedName($"CN={otherName}"), request.PublicKey, HashAlgorithmName.SHA256);
        }

        return Issue(request, ServerAuthentication).RawData;
    }

    public void Dispose() => _key.Dispose();

    private X509Certificate2 Issue(CertificateRequest request, string usage)
    {
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        var now = TimeProvider.System.GetUtcNow();
        return request.Create(Certificate, now.AddMinutes(-5), now.AddHours(12), RandomNumberGenerator.GetBytes(8));
    }
}
