using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Agents;
using Kip.Testing;

namespace Kip.Core.Tests.Agents;

public sealed class CertificateAuthorityTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly VirtualClock _clock = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task LoadOrCreate_Twice_IsTheSameAuthority()
    {
        using var first = await CertificateAuthority.LoadOrCreateAsync(_directory.Path, _clock, default);
        using var second = await CertificateAuthority.LoadOrCreateAsync(_directory.Path, _clock, default);

        Assert.Equal(first.Id, second.Id);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory["ca.key"]));
    }

    [Fact]
    public async Task LoadOrCreate_ManyAtOnce_MakeOneAuthority()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
            CertificateAuthority.LoadOrCreateAsync(_directory.Path, TimeProvider.System, default))));

        Assert.Single(all.Select(a => a.Id).Distinct());
    }

    [Theory]
    [InlineData("ca.key")]
    [InlineData("ca.crt")]
    public async Task LoadOrCreate_OneFileMissing_RefusesAndReplacesNothing(string missing)
    {
        using (await CertificateAuthority.LoadOrCreateAsync(_directory.Path, _clock, default))
        {
        }

        File.Delete(_directory[missing]);

        var e = await Assert.ThrowsAsync<IOException>(() => CertificateAuthority.LoadOrCreateAsync(_directory.Path, _clock, default));
        Assert.Contains("ca.crt and ca.key", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory[missing]));
    }

    [Fact]
    public void SignCell_IsValidForThatCellOnly_FromADayAgo_UntilItsEnd()
    {
        using var authority = CertificateAuthority.Create(_clock);
        using var certificate = authority.SignCell(NewRequest(), "cell-a");

        Assert.True(authority.IsCell(certificate, "cell-a"));
        Assert.False(authority.IsCell(certificate, "cell-b"));
        Assert.Equal(_clock.GetUtcNow() - TimeSpan.FromHours(24), certificate.NotBefore.ToUniversalTime(), TimeSpan.FromSeconds(1));

        _clock.Advance(CertificateAuthority.CellLifetime + TimeSpan.FromSeconds(1));
        Assert.False(authority.IsCell(certificate, "cell-a"));
    }

    [Fact]
    public void IsCell_ControllersOwnCertificate_IsNoCell()
    {
        using var authority = CertificateAuthority.Create(_clock);

        Assert.False(authority.IsCell(authority.GetControllerCertificate().TargetCertificate, "kip-controller"));
    }

    [Fact]
    public void IsCell_CertificateOfAnotherAuthority_IsRefused()
    {
        using var authority = CertificateAuthority.Create(_clock);
        using var other = CertificateAuthority.Create(_clock);
        using var certificate = other.SignCell(NewRequest(), "cell-a");

        Assert.False(authority.IsCell(certificate, "cell-a"));
    }

    [Fact]
    public void SignCell_RequestThatItsKeyDidNotSign_IsRefused()
    {
        using var authority = CertificateAuthority.Create(_clock);
        var request = NewRequest();
        request[^1] ^= 1;

        Assert.ThrowsAny<CryptographicException>(() => authority.SignCell(request, "cell-a"));
    }

    [Fact]
    public void ControllerCertificate_PastHalfOfItsLife_IsRenewed()
    {
        using var authority = CertificateAuthority.Create(_clock);
        var first = authority.GetControllerCertificate();
        Assert.Same(first, authority.GetControllerCertificate());

        _clock.Advance((CertificateAuthority.CellLifetime / 2) + TimeSpan.FromMinutes(1));

        Assert.NotEqual(first.TargetCertificate.SerialNumber, authority.GetControllerCertificate().TargetCertificate.SerialNumber);
    }

    [Fact]
    public void EnrolmentProof_WithAnyPartChanged_DoesNotVerify()
    {
        var token = EnrolmentProof.NewToken();
        byte[] nonce = [1, 2, 3], key = [4, 5, 6];
        var proof = EnrolmentProof.Compute(token, "cell-a", nonce, key);

        Assert.True(EnrolmentProof.Verify(token, "cell-a", nonce, key, proof));
        Assert.False(EnrolmentProof.Verify(EnrolmentProof.NewToken(), "cell-a", nonce, key, proof));
        Assert.False(EnrolmentProof.Verify(token, "cell-b", nonce, key, proof));
        Assert.False(EnrolmentProof.Verify(token, "cell-a", [1, 2], key, proof));
        Assert.False(EnrolmentProof.Verify(token, "cell-a", nonce, [4, 5], proof));
        Assert.False(EnrolmentProof.Verify(token, "cell-a", nonce, key, []));
    }

    private static byte[] NewRequest()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=whatever", key, HashAlgorithmName.SHA256).CreateSigningRequest();
    }
}
