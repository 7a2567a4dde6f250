using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Kip.VirtualKubelet.Tests;

/// <summary>An authority of a test's own, and certificates of it.</summary>
internal sealed class TestCertificates : IDisposable
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    public TestCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        Authority = request.CreateSelfSigned(Now.AddDays(-2), Now.AddDays(2));
    }

    public X509Certificate2 Authority { get; }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    /// <summary>A certificate for servers of an authority that <see cref="Authority"/> has signed.</summary>
    public (X509Certificate2 Server, X509Certificate2 Issuer) ServerOfIntermediate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=intermediate", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var signed = request.Create(Authority, Now.AddDays(-1), Now.AddDays(1), RandomNumberGenerator.GetBytes(8));
        using var intermediate = signed.CopyWithPrivateKey(key);
        return (Create("CN=localhost", ServerAuthentication, Now.AddHours(12), intermediate), X509CertificateLoader.LoadCertificate(signed.RawData));
    }

    public X509Certificate2 Server(string name = "localhost") => Create($"CN={name}", ServerAuthentication, Now.AddDays(1));

    public X509Certificate2 Client(string subject) => Create(subject, ClientAuthentication, Now.AddDays(1));

    public X509Certificate2 Expired(string subject) => Create(subject, ClientAuthentication, Now.AddHours(-1));

    /// <summary>Of this authority, but not for clients.</summary>
    public X509Certificate2 WrongPurpose(string subject) => Create(subject, ServerAuthentication, Now.AddDays(1));

    public void Dispose() => Authority.Dispose();

    private X509Certificate2 Create(string subject, string purpose, DateTimeOffset until, X509Certificate2? issuer = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], critical: true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(issuer ?? Authority, Now.AddHours(-12), until, RandomNumberGenerator.GetBytes(8));
        return certificate.CopyWithPrivateKey(key);
    }
}
