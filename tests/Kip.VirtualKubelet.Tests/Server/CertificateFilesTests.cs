using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.VirtualKubelet.Server;

namespace Kip.VirtualKubelet.Tests;

public sealed class CertificateFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kip-certificates-").FullName;
    private readonly TestCertificates _certificates = new();
    private DateTime _written = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private string Certificate => Path.Combine(_folder, "tls.crt");

    private string Key => Path.Combine(_folder, "tls.key");

    public void Dispose()
    {
        _certificates.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Current_FileHoldsAChain_HasTheIssuersThatClientsNeed()
    {
        var (server, issuer) = _certificates.ServerOfIntermediate();
        Write(server, issuer);

        var current = new CertificateFiles(Certificate, Key).Current;

        Assert.Equal(server.Thumbprint, current.TargetCertificate.Thumbprint);
        Assert.True(current.TargetCertificate.HasPrivateKey);
        Assert.Contains(issuer.Thumbprint, current.IntermediateCertificates.Select(static each => each.Thumbprint));
    }

    [Fact]
    public void Current_FilesAreReplaced_TakesThemUpOnceTheyAreWhole()
    {
        using var first = _certificates.Server();
        Write(first);
        var files = new CertificateFiles(Certificate, Key);
        using var second = _certificates.Server("renewed");

        WriteText(Certificate, second.ExportCertificatePem());
        Assert.Equal(first.Thumbprint, files.Current.TargetCertificate.Thumbprint);

        Write(second);
        Assert.Equal(second.Thumbprint, files.Current.TargetCertificate.Thumbprint);
        Assert.Same(files.Current, files.Current);
    }

    [Fact]
    public void New_KeyIsAnothers_SaysOfWhichFiles()
    {
        using var certificate = _certificates.Server();
        using var other = _certificates.Server();
        Write(other);
        WriteText(Certificate, certificate.ExportCertificatePem());

        var error = Assert.Throws<CryptographicException>(() => new CertificateFiles(Certificate, Key));

        Assert.StartsWith($"{Certificate} and {Key}: no certificate and its private key in PEM: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void New_FileIsEmpty_SaysOfWhichFiles()
    {
        WriteText(Certificate, "");
        WriteText(Key, "");

        var error = Assert.Throws<CryptographicException>(() => new CertificateFiles(Certificate, Key));

        Assert.StartsWith($"{Certificate} and {Key}: ", error.Message, StringComparison.Ordinal);
    }

    private void Write(X509Certificate2 certificate, params X509Certificate2[] issuers)
    {
        using var key = certificate.GetECDsaPrivateKey();
        WriteText(Certificate, string.Join('\n', ((X509Certificate2[])[certificate, .. issuers]).Select(static each => each.ExportCertificatePem())));
        WriteText(Key, key!.ExportPkcs8PrivateKeyPem());
    }

    // Each write has a time of its own, however coarse the file system's clock is.
    private void WriteText(string file, string text)
    {
        File.WriteAllText(file, text);
        File.SetLastWriteTimeUtc(file, _written += TimeSpan.FromSeconds(1));
    }
}
