using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Agents;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

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
    public async Task EnrolmentToken_IsTheSameForWhoeverHasTheAuthority_AndAnotherForEachCellLaunchAndAuthority()
    {
        using var authority = await CertificateAuthority.LoadOrCreateAsync(_directory.Path, _clock, default);
        using var same = await CertificateAuthority.LoadOrCreateAsync(_directory.Path, _clock, default);
        using var other = CertificateAuthority.Create(_clock);

        var token = authority.GetEnrolmentToken("cell-a", "launch");

        Assert.Equal(32, Convert.FromBase64String(token).Length);
        Assert.Equal(token, same.GetEnrolmentToken("cell-a", "launch"));
        Assert.DoesNotContain(token, new[]
        {
            authority.GetEnrolmentToken("cell-b", "launch"), authority.GetEnrolmentToken("cell-a", "launch2"), other.GetEnrolmentToken("cell-a", "launch"),
        });
    }

    [Fact]
    public Task LoadOrCreate_FromASecretThatIsNotThere_ManyAtOnceWithAnswersLost_AreOneAuthority() => _clock.RunAsync(async () =>
    {
        var api = new FakeKubernetesClient();
        var hosts = Enumerable.Range(0, 4).Select(n =>
        {
            var host = api.Another();
            var lost = n < 2;
            host.After = _ =>
            {
                if (lost)
                {
                    lost = false;
                    throw new KubernetesApiException("the connection was cut", inner: null);
                }
            };
            return CertificateAuthority.LoadOrCreateAsync(host, new ObjectKey("kip", "kip-ca"), _clock, NullLogger.Instance, default);
        });

        var all = await Task.WhenAll(hosts);

        Assert.Single(all.Select(static a => (a.Id, a.GetEnrolmentToken("cell", "launch"))).Distinct());
        using var signed = all[0].SignCell(NewRequest(), "cell-a");
        Assert.True(all[3].IsCell(signed, "cell-a"));
    });

    [Fact]
    public async Task LoadOrCreate_FromASecretOfSomethingElse_RefusesAndReplacesNothing()
    {
        var api = new FakeKubernetesClient();
        var secret = new Secret { Metadata = new ObjectMeta { Namespace = "kip", Name = "kip-ca" }, Data = new Dictionary<string, byte[]> { ["tls.crt"] = [1] } };
        await api.CreateAsync(Resources.Secrets, secret, default);

        var e = await Assert.ThrowsAsync<IOException>(() =>
            CertificateAuthority.LoadOrCreateAsync(api, new ObjectKey("kip", "kip-ca"), _clock, NullLogger.Instance, default));

        Assert.Contains("Secret kip/kip-ca", e.Message, StringComparison.Ordinal);
        Assert.Equal(["create", "get"], api.Calls);
    }

    [Fact]
    public void EnrolmentProof_WithAnyPartChanged_DoesNotVerify()
    {
        using var authority = CertificateAuthority.Create(_clock);
        var token = authority.GetEnrolmentToken("cell-a", "launch-1");
        byte[] nonce = [1, 2, 3], key = [4, 5, 6];
        var proof = EnrolmentProof.Compute(token, "cell-a", nonce, key);

        Assert.True(EnrolmentProof.Verify(token, "cell-a", nonce, key, proof));
        Assert.False(EnrolmentProof.Verify(authority.GetEnrolmentToken("cell-a", "launch-2"), "cell-a", nonce, key, proof));
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
