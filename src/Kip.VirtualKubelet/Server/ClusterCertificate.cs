using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>
/// The serving certificate of the kubelet API as the cluster signs it (signer <c>kubernetes.io/kubelet-serving</c>), asked for anew before it
/// ends. Somebody must approve the request; until then, and where the host may not ask, the node signs for itself.
/// </summary>
internal sealed partial class ClusterCertificate : IDisposable
{
    private const string Signer = "kubernetes.io/kubelet-serving";

    // The signer before 1.27 wants exactly these, whatever the key is.
    private static readonly string[] Usages = ["digital signature", "key encipherment", "server auth"];

    // Where something in the cluster approves by itself, nobody has to be told.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RefusedInterval = TimeSpan.FromHours(1);
    private static readonly TimeSpan DeniedInterval = TimeSpan.FromHours(24);
    private static readonly TimeSpan LookInterval = TimeSpan.FromHours(1);
    private const double LeastUse = 0.75;
    private const double UseSpread = 0.1;

    private readonly string _nodeName;
    private readonly IPAddress _address;
    private readonly string? _file;
    private readonly IKubernetesClient _client;
    private readonly IEventRecorder _events;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger _log;
    private readonly SslStreamCertificateContext _own;
    private SslStreamCertificateContext? _signed;

    /// <param name="nodeName">The node it is for.</param>
    /// <param name="address">The address it is for.</param>
    /// <param name="file">PEM file that keeps key and certificate over restarts; null for memory only.</param>
    /// <param name="client">Calls the API server.</param>
    /// <param name="events">Told what an operator must do.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Spreads renewals.</param>
    /// <param name="log">Told the same.</param>
    public ClusterCertificate(
        string nodeName, IPAddress address, string? file, IKubernetesClient client, IEventRecorder events, TimeProvider time, Random random, ILogger log)
    {
        (_nodeName, _address, _file, _client, _events, _time, _random, _log) = (nodeName, address, file, client, events, time, random, log);
        _own = SslStreamCertificateContext.Create(SelfSignedCertificate.Create(nodeName, address, time.GetUtcNow()), null, offline: true);
        _signed = file is null ? null : TryRead(file);
    }

    /// <summary>What to serve now.</summary>
    public SslStreamCertificateContext Current => Volatile.Read(ref _signed) ?? _own;

    /// <summary>Whether the cluster has signed it.</summary>
    public bool IsSigned => Volatile.Read(ref _signed) is not null;

    /// <summary>Asks the cluster, and again before each certificate ends, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_signed is { } signed)
            {
                await WaitForRenewalAsync(signed.TargetCertificate, cancellationToken).ConfigureAwait(false);
            }

            // A key is used for one certificate.
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var pause = await TryRenewAsync(key, cancellationToken).ConfigureAwait(false);
            await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        _own.TargetCertificate.Dispose();
        _signed?.TargetCertificate.Dispose();
    }

    private async Task WaitForRenewalAsync(X509Certificate2 signed, CancellationToken cancellationToken)
    {
        var (begin, end) = (signed.NotBefore.ToUniversalTime(), signed.NotAfter.ToUniversalTime());
        var due = begin + ((end - begin) * (LeastUse + (UseSpread * _random.NextDouble())));
        // In parts: the clock may be set meanwhile.
        while (due - _time.GetUtcNow().UtcDateTime is var left && left > TimeSpan.Zero)
        {
            await Task.Delay(left < LookInterval ? left : LookInterval, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Asks once, and waits for the answer as long as it takes.</summary>
    /// <returns>How long to wait before the next try.</returns>
    private async Task<TimeSpan> TryRenewAsync(ECDsa key, CancellationToken cancellationToken)
    {
        var request = Request(key);
        try
        {
            while (true)
            {
                var answer = await AskAsync(request, cancellationToken).ConfigureAwait(false);
                if (answer?.Status?.Certificate is { Length: > 0 } pem)
                {
                    await TakeAsync(new string(PemEncoding.Write("PRIVATE KEY", key.ExportPkcs8PrivateKey())), System.Text.Encoding.ASCII.GetString(pem), cancellationToken).ConfigureAwait(false);
                    return TimeSpan.Zero;
                }

                if (answer is not null)
                {
                    var condition = answer.Status!.Conditions!.First(IsRefusal);
                    Tell("ServingCertificateRefused", $"request {request.Metadata.Name} for the kubelet API's certificate: {condition.Type}: {condition.Message ?? condition.Reason}");
                    return DeniedInterval;
                }

                // Clusters clear requests away that nobody decides for a day.
            }
        }
        catch (KubernetesApiException e)
        {
            var pause = e.StatusCode == HttpStatusCode.Forbidden ? RefusedInterval : RetryInterval;
            LogFailed(e.Message, pause);
            return e.RetryAfter > pause ? e.RetryAfter.Value : pause;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            Tell("ServingCertificateRefused", $"the certificate that the cluster signed by request {request.Metadata.Name} cannot be used: {e.Message}");
            return DeniedInterval;
        }
    }

    /// <returns>The request with its answer; null when it was deleted.</returns>
    private async Task<CertificateSigningRequest?> AskAsync(CertificateSigningRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await _client.CreateAsync(Resources.CertificateSigningRequests, request, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesApiException e) when (e.IsAlreadyExists)
        {
            // Ours, by its name: the answer to a try before was lost.
        }

        var answered = WaitForAnswerAsync(request.Metadata.Name!, cancellationToken);
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (await Task.WhenAny(answered, Task.Delay(Patience, _time, silence.Token)).ConfigureAwait(false) != answered && !cancellationToken.IsCancellationRequested)
        {
            Tell("ServingCertificatePending", $"the kubelet API's certificate waits for approval: kubectl certificate approve {request.Metadata.Name}");
        }

        await silence.CancelAsync().ConfigureAwait(false);
        return await answered.ConfigureAwait(false);
    }

    private async Task<CertificateSigningRequest?> WaitForAnswerAsync(string name, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<CertificateSigningRequest?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = new InformerOptions<CertificateSigningRequest> { FieldSelector = $"metadata.name={name}" };
        var informer = new Informer<CertificateSigningRequest>(_client, Resources.CertificateSigningRequests, options, _time, _random, _log);
        informer.Subscribe(change =>
        {
            if (change.New is null || change.New.Status?.Certificate is { Length: > 0 } || change.New.Status?.Conditions?.Exists(IsRefusal) == true)
            {
                answer.TrySetResult(change.New);
            }
        });
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var following = informer.RunAsync(end.Token);
        try
        {
            await informer.WaitForSyncAsync(cancellationToken).ConfigureAwait(false);
            return informer.Get(new ObjectKey(name)) is null ? null : await answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await end.CancelAsync().ConfigureAwait(false);
            await following.ConfigureAwait(false);
        }
    }

    private async Task TakeAsync(string key, string certificate, CancellationToken cancellationToken)
    {
        var taken = ServingCertificates.Read(certificate, key, "its answer");
        if (!IsForThisNode(taken.TargetCertificate))
        {
            taken.TargetCertificate.Dispose();
            throw new CryptographicException($"it is not for {_nodeName} at {_address}, or not good now");
        }

        // The one before may be in the middle of a handshake; it is left to the collector.
        Volatile.Write(ref _signed, taken);
        LogTaken(taken.TargetCertificate.NotAfter.ToUniversalTime());
        if (_file is null)
        {
            return;
        }

        try
        {
            PrivateFiles.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_file))!);
            await PrivateFiles.WriteAsync(_file, $"{key}\n{certificate}", cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotKept(_file, e.Message);
        }
    }

    private SslStreamCertificateContext? TryRead(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            var kept = ServingCertificates.Read(text, text, file);
            if (IsForThisNode(kept.TargetCertificate))
            {
                return kept;
            }

            kept.TargetCertificate.Dispose();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // The first time.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            LogNotRead(file, e.Message);
        }

        return null;
    }

    private bool IsForThisNode(X509Certificate2 certificate)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        return certificate.NotBefore.ToUniversalTime() <= now && now < certificate.NotAfter.ToUniversalTime()
            && certificate.MatchesHostname(_nodeName, allowCommonName: false)
            && certificate.MatchesHostname(_address.ToString(), allowCommonName: false);
    }

    private CertificateSigningRequest Request(ECDsa key)
    {
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName($"system:node:{_nodeName}");
        subject.AddOrganizationName("system:nodes");
        var wanted = new CertificateRequest(subject.Build(), key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(_nodeName);
        names.AddIpAddress(_address);
        wanted.CertificateExtensions.Add(names.Build());
        var hash = Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));
        return new CertificateSigningRequest
        {
            // By the key, so that asking twice makes one request.
            Metadata = new ObjectMeta { Name = $"kip-serving-{hash[..20]}" },
            Spec = new CertificateSigningRequestSpec
            {
                Request = System.Text.Encoding.ASCII.GetBytes(wanted.CreateSigningRequestPem()),
                SignerName = Signer,
                Usages = [.. Usages],
            },
        };
    }

    private static bool IsRefusal(CertificateSigningRequestCondition condition) => condition.Type is "Denied" or "Failed" && condition.Status is null or "True";

    private void Tell(string reason, string message)
    {
        // kubectl describe node looks for events by the node's name as UID, as kubelets write them.
        _events.Record(new ObjectReference { ApiVersion = "v1", Kind = "Node", Name = _nodeName, Uid = _nodeName }, EventType.Warning, reason, message);
        LogTold(message);
    }

    [LoggerMessage(100, LogLevel.Warning, "{Message}. Until then the node signs for itself, which API servers accept unless they run with --kubelet-certificate-authority")]
    private partial void LogTold(string message);

    [LoggerMessage(101, LogLevel.Warning, "The cluster cannot be asked for the kubelet API's certificate: {Problem}; tried again in {Pause}. Until then the node signs for itself, which API servers accept unless they run with --kubelet-certificate-authority")]
    private partial void LogFailed(string problem, TimeSpan pause);

    [LoggerMessage(102, LogLevel.Information, "The cluster has signed the kubelet API's certificate, good until {End:u}")]
    private partial void LogTaken(DateTime end);

    [LoggerMessage(103, LogLevel.Warning, "The kubelet API's certificate cannot be kept in {File} and is asked for again after a restart: {Problem}")]
    private partial void LogNotKept(string file, string problem);

    [LoggerMessage(104, LogLevel.Warning, "The kubelet API's certificate cannot be read from {File}, a new one is asked for: {Problem}")]
    private partial void LogNotRead(string file, string problem);
}
