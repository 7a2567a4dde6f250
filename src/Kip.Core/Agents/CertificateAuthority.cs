using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Agents;

/// <summary>
/// The authority that controller and cells of one controller trust, and no one else. It signs the agents' requests and makes the
/// controller's own client certificates. Keys are ECDSA P-256.
/// </summary>
public sealed partial class CertificateAuthority : IDisposable
{
    /// <summary>How long an agent's certificate is valid. It is renewed after half of it.</summary>
    public static readonly TimeSpan CellLifetime = TimeSpan.FromHours(24);

    // A fresh machine's clock may be hours off (a hardware clock in local time): valid from this long ago.
    internal static readonly TimeSpan Backdating = TimeSpan.FromHours(24);

    private const string CertificateFile = "ca.crt";
    private const string KeyFile = "ca.key";
    private const string SecretCertificate = "tls.crt";
    private const string SecretKey = "tls.key";
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private SslStreamCertificateContext? _controller;
    private byte[]? _enrolmentKey;

    private CertificateAuthority(X509Certificate2 certificate, TimeProvider time)
    {
        Certificate = certificate;
        _time = time;
    }

    /// <summary>The authority's own certificate.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>Short name of this authority, ten hexadecimal digits of its certificate's SHA-256: no two authorities share it.</summary>
    public string Id => Certificate.GetCertHashString(HashAlgorithmName.SHA256)[..10].ToLowerInvariant();

    /// <summary>The authority's own certificate as PEM, without its key.</summary>
    public string CertificatePem => Certificate.ExportCertificatePem();

    /// <summary>Makes a new authority that lives in memory only.</summary>
    public static CertificateAuthority Create(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Kip cells", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = time.GetUtcNow();
        return new CertificateAuthority(request.CreateSelfSigned(now - Backdating, now + Lifetime), time);
    }

    /// <summary>Loads the authority from a folder, or makes a new one there when there is none. Safe when several processes do so at once.</summary>
    /// <param name="directory">Made if needed, readable by its owner only.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="IOException">The files cannot be read or written, or one of the two is missing or broken. Nothing is replaced:
    /// a new authority would orphan every running cell.</exception>
    public static async Task<CertificateAuthority> LoadOrCreateAsync(string directory, TimeProvider time, CancellationToken cancellationToken)
    {
        PrivateFiles.CreateDirectory(directory);
        using var turn = await FileLock.AcquireAsync(Path.Combine(directory, "ca.lock"), LockPatience, time, cancellationToken).ConfigureAwait(false);
        var certificatePath = Path.Combine(directory, CertificateFile);
        var keyPath = Path.Combine(directory, KeyFile);
        if (!File.Exists(certificatePath) && !File.Exists(keyPath))
        {
            var made = Create(time);
            await PrivateFiles.WriteAsync(keyPath, made.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), cancellationToken).ConfigureAwait(false);
            await PrivateFiles.WriteAsync(certificatePath, made.CertificatePem, cancellationToken).ConfigureAwait(false);
            return made;
        }

        try
        {
            var certificate = await File.ReadAllTextAsync(certificatePath, cancellationToken).ConfigureAwait(false);
            var key = await File.ReadAllTextAsync(keyPath, cancellationToken).ConfigureAwait(false);
            return new CertificateAuthority(X509Certificate2.CreateFromPem(certificate, key), time);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FileNotFoundException)
        {
            throw new IOException(
                $"{directory}: {CertificateFile} and {KeyFile} do not make a usable authority ({e.Message}); restore them, or remove both once no cell runs", e);
        }
    }

    /// <summary>
    /// Loads the authority from a Secret of type <c>kubernetes.io/tls</c>, or makes a new one there when there is none. Of several hosts that
    /// do so at once all get the same. While the API server is away this waits for it.
    /// </summary>
    /// <param name="client">Calls the API server.</param>
    /// <param name="secret">Namespace and name of the Secret.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told of calls that have to be repeated.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="KubernetesApiException">The Secret may not be read or made.</exception>
    /// <exception cref="IOException">The Secret holds something else. Nothing is replaced: a new authority would orphan every running cell.</exception>
    public static Task<CertificateAuthority> LoadOrCreateAsync(
        IKubernetesClient client, ObjectKey secret, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(client);
        return ApiCalls.PersistAsync(LoadAsync, time, problem => LogTrouble(logger, secret, problem), cancellationToken);

        async Task<CertificateAuthority> LoadAsync()
        {
            var there = await client.FindAsync(Resources.Secrets, secret, cancellationToken).ConfigureAwait(false);
            if (there is null)
            {
                using var made = Create(time);
                try
                {
                    there = await client.CreateAsync(Resources.Secrets, made.ToSecret(secret), cancellationToken).ConfigureAwait(false);
                }
                catch (KubernetesApiException e) when (e.IsAlreadyExists)
                {
                    // Another host was faster, or an earlier try of this one whose answer was lost: theirs counts.
                    there = await client.GetAsync(Resources.Secrets, secret, cancellationToken).ConfigureAwait(false);
                }
            }

            return FromSecret(there, time);
        }
    }

    /// <summary>
    /// The secret of one launch of one cell, base64. It is derived from the authority's key, so that it need not be kept anywhere, and
    /// whoever reads a cell's record has not got it.
    /// </summary>
    internal string GetEnrolmentToken(string cellId, string launchToken)
    {
        lock (_lock)
        {
            _enrolmentKey ??= DeriveEnrolmentKey();
        }

        // Neither of the two can have a line feed in it.
        return Convert.ToBase64String(HMACSHA256.HashData(_enrolmentKey, Encoding.UTF8.GetBytes($"{cellId}\n{launchToken}")));
    }

    /// <summary>Signs an agent's request.</summary>
    /// <param name="signingRequest">PKCS #10, DER, signed by its own key. Only its public key is taken from it.</param>
    /// <param name="cellId">The name that goes into the certificate.</param>
    /// <exception cref="CryptographicException">The request is malformed or not signed by its own key.</exception>
    internal X509Certificate2 SignCell(byte[] signingRequest, string cellId)
    {
        var asked = CertificateRequest.LoadSigningRequest(signingRequest, HashAlgorithmName.SHA256);
        var request = new CertificateRequest(new X500DistinguishedName($"CN={cellId}"), asked.PublicKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(cellId);
        request.CertificateExtensions.Add(names.Build());
        return Sign(request, ServerAuthentication, CellLifetime);
    }

    /// <summary>
    /// What the controller shows to agents, renewed after half of its life. Made once for many connections: the first use of a
    /// certificate makes the runtime read the machine's trusted roots, which takes a tenth of a second.
    /// </summary>
    internal SslStreamCertificateContext GetControllerCertificate()
    {
        lock (_lock)
        {
            if (_controller is null || IsDueForRenewal(_controller.TargetCertificate.NotAfter.ToUniversalTime()))
            {
                using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                var request = new CertificateRequest("CN=kip-controller", key, HashAlgorithmName.SHA256);
                using var signed = Sign(request, ClientAuthentication, CellLifetime);
                // Connections that use the old one hold on to it; the finalizer ends it.
                _controller = SslStreamCertificateContext.Create(signed.CopyWithPrivateKey(key), null, offline: true);
            }

            return _controller;
        }
    }

    /// <summary>Whether this authority signed <paramref name="certificate"/> as the server certificate of cell <paramref name="cellId"/>, and it is valid now.</summary>
    internal bool IsCell(X509Certificate2 certificate, string cellId)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(Certificate);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = _time.GetUtcNow().UtcDateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        return chain.Build(certificate) && certificate.MatchesHostname(cellId, allowWildcards: false, allowCommonName: false);
    }

    /// <summary>Whether the agent's certificate is past half of its life.</summary>
    internal bool IsDueForRenewal(DateTimeOffset notAfter) => _time.GetUtcNow() > notAfter - (CellLifetime / 2);

    /// <inheritdoc/>
    public void Dispose()
    {
        _controller?.TargetCertificate.Dispose();
        Certificate.Dispose();
    }

    private Secret ToSecret(ObjectKey key) => new()
    {
        Metadata = new ObjectMeta { Namespace = key.Namespace, Name = key.Name },
        Type = SecretType.Tls,
        Data = new Dictionary<string, byte[]>
        {
            [SecretCertificate] = Encoding.UTF8.GetBytes(CertificatePem),
            [SecretKey] = Encoding.UTF8.GetBytes(Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()),
        },
    };

    private static CertificateAuthority FromSecret(Secret secret, TimeProvider time)
    {
        try
        {
            var certificate = X509Certificate2.CreateFromPem(Text(SecretCertificate), Text(SecretKey));
            using var key = certificate.GetECDsaPrivateKey() ?? throw new CryptographicException("the key is not an ECDSA key");
            return new CertificateAuthority(certificate, time);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new IOException(
                $"Secret {secret.Metadata.Namespace}/{secret.Metadata.Name}: {SecretCertificate} and {SecretKey} do not make a usable authority ({e.Message}); restore them, or delete the Secret once no cell runs", e);
        }

        string Text(string name) => Encoding.UTF8.GetString(secret.Data?.GetValueOrDefault(name) ?? []);
    }

    [LoggerMessage(4, LogLevel.Warning, "The authority in Secret {Secret} could not be read or made, tried again: {Problem}")]
    private static partial void LogTrouble(ILogger logger, ObjectKey secret, string problem);

    private byte[] DeriveEnrolmentKey()
    {
        using var key = Certificate.GetECDsaPrivateKey() ?? throw new CryptographicException("the authority has no ECDSA key");
        var secret = key.ExportParameters(includePrivateParameters: true).D!;
        try
        {
            return HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 32, info: "kip enrolment tokens v1"u8.ToArray());
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    private X509Certificate2 Sign(CertificateRequest request, string usage, TimeSpan lifetime)
    {
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, true, false));
        var now = _time.GetUtcNow();
        var notBefore = now - Backdating;
        if (notBefore < Certificate.NotBefore)
        {
            notBefore = Certificate.NotBefore;
        }

        Span<byte> serial = stackalloc byte[16];
        RandomNumberGenerator.Fill(serial);
        serial[0] = (byte)((serial[0] & 0x7f) | 0x40); // positive and without leading zeros, as DER wants it
        return request.Create(Certificate, notBefore, now + lifetime, serial);
    }
}
