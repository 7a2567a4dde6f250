using System.Buffers.Binary;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Kip.Agent.State;
using Kip.Grpc;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Enrolment;

/// <summary>
/// The cell's key and certificate. Before enrolment it serves with a certificate of its own making; the single-use token lets the controller
/// tell that key from an impostor's; once a certificate of the controller's authority is installed the token is dead for good.
/// </summary>
internal sealed partial class AgentIdentity : IDisposable
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private readonly Lock _lock = new();
    private readonly string _cellId;
    private readonly X509Certificate2 _authority;
    private readonly byte[] _token;
    private readonly StateDirectory _state;
    private readonly TimeProvider _time;
    private readonly ILogger<AgentIdentity> _logger;
    private ECDsa? _pendingKey;
    private SslStreamCertificateContext _serving;

    public AgentIdentity(
        string cellId,
        X509Certificate2 authority,
        byte[] token,
        StateDirectory state,
        TimeProvider time,
        ILogger<AgentIdentity> logger)
    {
        (_cellId, _authority, _token, _state, _time, _logger) = (cellId, authority, token, state, time, logger);
        if (state.ReadIdentity() is { } pem)
        {
            _serving = Load(pem);
            IsEnrolled = true;
        }
        else
        {
            _serving = SslStreamCertificateContext.Create(SelfSigned(), null, offline: true);
        }
    }

    /// <summary>Whether a certificate of the controller's authority is in place.</summary>
    public bool IsEnrolled { get; private set; }

    /// <summary>What new connections are served with.</summary>
    public SslStreamCertificateContext Serving
    {
        get
        {
            lock (_lock)
            {
                return _serving;
            }
        }
    }

    /// <summary>When the installed certificate ends, in seconds since the Unix epoch; 0 before enrolment.</summary>
    public long NotAfterUnix
    {
        get
        {
            lock (_lock)
            {
                return IsEnrolled
                    ? new DateTimeOffset(_serving.TargetCertificate.NotAfter.ToUniversalTime(), TimeSpan.Zero).ToUnixTimeSeconds()
                    : 0;
            }
        }
    }

    /// <summary>Makes a new key and a request for a certificate over it.</summary>
    /// <returns>PKCS #10 in DER, and the proof by the token: empty on renewal, where the channel is the proof.</returns>
    /// <exception cref="RpcException">InvalidArgument: the nonce is shorter than 16 bytes.</exception>
    public (byte[] SigningRequest, byte[] Proof) CreateSigningRequest(ReadOnlySpan<byte> nonce)
    {
        if (nonce.Length < 16)
        {
            throw new RpcException(StatusCode.InvalidArgument, "nonce: at least 16 bytes are required");
        }

        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Request(key).CreateSigningRequest();
        lock (_lock)
        {
            _pendingKey?.Dispose();
            _pendingKey = key;
            return (request, IsEnrolled ? [] : Prove(nonce, key.ExportSubjectPublicKeyInfo()));
        }
    }

    /// <summary>Serves with this certificate from the next connection on.</summary>
    /// <param name="chain">DER; the agent's certificate first, then its issuers.</param>
    /// <exception cref="RpcException">
    /// FailedPrecondition: no key is pending. InvalidArgument: the chain does not fit the key, the cell or the authority.
    /// </exception>
    public void Install(IReadOnlyList<byte[]> chain)
    {
        lock (_lock)
        {
            if (_pendingKey is null)
            {
                throw new RpcException(StatusCode.FailedPrecondition, "no signing request is pending");
            }

            var certificates = Parse(chain);
            Check(certificates);
            var pem = new StringBuilder().AppendLine(_pendingKey.ExportPkcs8PrivateKeyPem());
            foreach (var certificate in certificates)
            {
                pem.AppendLine(certificate.ExportCertificatePem());
                certificate.Dispose();
            }

            var text = pem.ToString();
            var context = Load(text);
            _state.WriteIdentity(text);
            _serving = context;
            IsEnrolled = true;
            _pendingKey.Dispose();
            _pendingKey = null;
            Installed(context.TargetCertificate.NotAfter.ToUniversalTime());
        }
    }

    public void Dispose() => _pendingKey?.Dispose();

    private static List<X509Certificate2> Parse(IReadOnlyList<byte[]> chain)
    {
        try
        {
            return chain.Count > 0
                ? [.. chain.Select(X509CertificateLoader.LoadCertificate)]
                : throw new RpcException(StatusCode.InvalidArgument, "chain: empty");
        }
        catch (CryptographicException e)
        {
            throw new RpcException(StatusCode.InvalidArgument, $"chain: not a certificate: {e.Message}");
        }
    }

    private static SslStreamCertificateContext Load(string pem)
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPem(pem);
        var leaf = X509Certificate2.CreateFromPem(pem, pem);
        certificates.RemoveAt(0);
        return SslStreamCertificateContext.Create(leaf, certificates, offline: true);
    }

    private void Check(List<X509Certificate2> certificates)
    {
        var leaf = certificates[0];
        using var key = leaf.GetECDsaPublicKey();
        if (key is null || !key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(_pendingKey!.ExportSubjectPublicKeyInfo()))
        {
            throw new RpcException(StatusCode.InvalidArgument, "chain: the certificate is not for the key of the last signing request");
        }

        if (!leaf.MatchesHostname(_cellId, allowWildcards: false, allowCommonName: true))
        {
            throw new RpcException(StatusCode.InvalidArgument, $"chain: the certificate is not for cell {_cellId}");
        }

        using var builder = new X509Chain();
        builder.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        builder.ChainPolicy.CustomTrustStore.Add(_authority);
        builder.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        builder.ChainPolicy.DisableCertificateDownloads = true;
        builder.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        builder.ChainPolicy.VerificationTime = _time.GetLocalNow().DateTime;
        for (var i = 1; i < certificates.Count; i++)
        {
            builder.ChainPolicy.ExtraStore.Add(certificates[i]);
        }

        if (!builder.Build(leaf))
        {
            var reasons = string.Join("; ", builder.ChainStatus.Select(status => status.StatusInformation.Trim()));
            throw new RpcException(StatusCode.InvalidArgument, $"chain: not trusted by the controller's authority: {reasons}");
        }
    }

    private byte[] Prove(ReadOnlySpan<byte> nonce, byte[] publicKey)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _token);
        hmac.AppendData("kip-enrol-v1"u8);
        Append(hmac, Encoding.UTF8.GetBytes(_cellId));
        Append(hmac, nonce);
        Append(hmac, publicKey);
        return hmac.GetHashAndReset();
    }

    private static void Append(IncrementalHash hmac, ReadOnlySpan<byte> field)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, field.Length);
        hmac.AppendData(length);
        hmac.AppendData(field);
    }

    private CertificateRequest Request(ECDsa key)
    {
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName(_cellId);
        var alternatives = new SubjectAlternativeNameBuilder();
        alternatives.AddDnsName(_cellId);
        var request = new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(alternatives.Build());
        return request;
    }

    private X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = _time.GetUtcNow();
        return Request(key).CreateSelfSigned(now.AddDays(-1), now.AddYears(1));
    }

    [LoggerMessage(1, LogLevel.Information, "Installed a certificate valid until {NotAfter:u}")]
    private partial void Installed(DateTime notAfter);
}
