using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Kip.Agents.Protocol;
using Kip.Cells;
using Kip.Grpc;
using Microsoft.Extensions.Logging;

namespace Kip.Agents;

/// <summary>Reaches agents by <c>kip.agent.v1</c>: gRPC over mutual TLS, where both sides trust one authority only.</summary>
public sealed partial class GrpcAgentConnector : ICellAgentConnector
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(10);
    private static readonly CallOptions Call = new(Timeout: TimeSpan.FromSeconds(10));
    private static readonly TimeSpan ToleratedSkew = TimeSpan.FromMinutes(1);

    private readonly CertificateAuthority _authority;
    private readonly TimeProvider _time;
    private readonly ILogger<GrpcAgentConnector> _logger;
    private readonly int _port;

    /// <summary>Makes a connector.</summary>
    /// <param name="authority">Signs the agents' certificates and the controller's own.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told of enrolments, renewals and clocks that are off.</param>
    /// <param name="port">TCP port of the agents.</param>
    public GrpcAgentConnector(CertificateAuthority authority, TimeProvider time, ILogger<GrpcAgentConnector> logger, int port = 6421)
    {
        _authority = authority;
        _time = time;
        _logger = logger;
        _port = port;
        // In the background, so that it is ready when the first agent is.
        _ = Task.Run(authority.GetControllerCertificate);
    }

    /// <inheritdoc/>
    public string GetEnrolmentToken(CellRecord cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return _authority.GetEnrolmentToken(cell.Id, cell.LaunchToken);
    }

    /// <inheritdoc/>
    public async Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cell);
        var address = cell.Address ?? throw new ArgumentException("the cell has no address yet", nameof(cell));
        try
        {
            if (cell.State < CellState.Ready)
            {
                await EnrolAsync(cell, address, GetEnrolmentToken(cell), onStep, cancellationToken).ConfigureAwait(false);
            }

            return await ConnectEnrolledAsync(cell, address, onStep, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw GrpcCellAgent.Translate(e, cell.Id);
        }
    }

    // One attempt to have the agent's certificate in place. A controller that died between installing it and recording so comes here
    // again in the same state: the certificate tells that the token is dead.
    private async Task EnrolAsync(CellRecord cell, string address, string token, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken)
    {
        var enrolled = false;
        using var channel = Open(address, cell.Id, certificate =>
        {
            // Not trusted with anything but a nonce: only the holder of the token can answer with the proof, and the certificate
            // is worth nothing without the key that the proof covers.
            enrolled = _authority.IsCell(certificate, cell.Id);
            return true;
        });
        await channel.UnaryAsync(AgentMethods.Hello, Introduction(), Call, cancellationToken).ConfigureAwait(false);
        onStep?.Invoke(AgentConnectStep.Answered);
        if (enrolled)
        {
            return;
        }

        var nonce = RandomNumberGenerator.GetBytes(32);
        var reply = await channel.UnaryAsync(
            AgentMethods.CreateSigningRequest,
            new CreateSigningRequestRequest { Nonce = ByteString.CopyFrom(nonce) },
            Call,
            cancellationToken).ConfigureAwait(false);
        var signingRequest = reply.SigningRequest.ToByteArray();
        byte[] publicKey;
        try
        {
            publicKey = CertificateRequest.LoadSigningRequest(signingRequest, HashAlgorithmName.SHA256).PublicKey.ExportSubjectPublicKeyInfo();
        }
        catch (CryptographicException e)
        {
            throw new AgentException(AgentErrorKind.Untrusted, $"what answers at {address} sent a malformed signing request: {e.Message}", e);
        }

        if (!EnrolmentProof.Verify(token, cell.Id, nonce, publicKey, reply.Proof.Span))
        {
            throw new AgentException(AgentErrorKind.Untrusted, $"what answers at {address} cannot prove to be {cell.Id}: its enrolment proof is wrong");
        }

        await InstallAsync(channel, signingRequest, cell.Id, cancellationToken).ConfigureAwait(false);
        LogEnrolled(cell.Id, address);
    }

    private async Task<ICellAgent> ConnectEnrolledAsync(CellRecord cell, string address, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken)
    {
        var channel = OpenEnrolled();
        try
        {
            var hello = await channel.UnaryAsync(AgentMethods.Hello, Introduction(), Call, cancellationToken).ConfigureAwait(false);
            var skew = DateTimeOffset.FromUnixTimeMilliseconds(hello.NowUnixMs) - _time.GetUtcNow();
            if (skew.Duration() > ToleratedSkew)
            {
                LogClockSkew(cell.Id, skew);
            }

            onStep?.Invoke(AgentConnectStep.Enrolled);
            return new GrpcCellAgent(channel, OpenEnrolled, cell.Id, hello, RenewIfDueAsync);
        }
        catch
        {
            channel.Dispose();
            throw;
        }

        GrpcChannel OpenEnrolled() => Open(address, cell.Id, certificate => _authority.IsCell(certificate, cell.Id));

        async Task<DateTimeOffset> RenewIfDueAsync(DateTimeOffset notAfter, CancellationToken ct)
        {
            if (!_authority.IsDueForRenewal(notAfter))
            {
                return notAfter;
            }

            var reply = await channel.UnaryAsync(
                AgentMethods.CreateSigningRequest,
                new CreateSigningRequestRequest { Nonce = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(32)) },
                Call,
                ct).ConfigureAwait(false);
            var renewed = await InstallAsync(channel, reply.SigningRequest.ToByteArray(), cell.Id, ct).ConfigureAwait(false);
            LogRenewed(cell.Id, renewed);
            return renewed;
        }
    }

    private async Task<DateTimeOffset> InstallAsync(GrpcChannel channel, byte[] signingRequest, string cellId, CancellationToken cancellationToken)
    {
        using var certificate = _authority.SignCell(signingRequest, cellId);
        var install = new InstallCertificateRequest();
        install.Chain.Add(ByteString.CopyFrom(certificate.RawData));
        install.Chain.Add(ByteString.CopyFrom(_authority.Certificate.RawData));
        await channel.UnaryAsync(AgentMethods.InstallCertificate, install, Call, cancellationToken).ConfigureAwait(false);
        return certificate.NotAfter.ToUniversalTime();
    }

    private GrpcChannel Open(string address, string cellId, Func<X509Certificate2, bool> accept)
    {
        var host = IPAddress.TryParse(address, out var ip) && ip.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address;
        return GrpcChannel.ForAddress($"https://{host}:{_port}", new GrpcChannelOptions
        {
            ConnectTimeout = ConnectTimeout,
            KeepAlivePingDelay = KeepAlive,
            KeepAlivePingTimeout = KeepAlive,
            TimeProvider = _time,
            Ssl = new SslClientAuthenticationOptions
            {
                TargetHost = cellId,
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                ClientCertificateContext = _authority.GetControllerCertificate(),
                RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 known && accept(known),
            },
        });
    }

    private static HelloRequest Introduction() => new() { ControllerVersion = KipVersion.Text };

    [LoggerMessage(1, LogLevel.Information, "{CellId} at {Address} is enrolled")]
    private partial void LogEnrolled(string cellId, string address);

    [LoggerMessage(2, LogLevel.Information, "{CellId} has a new certificate until {NotAfter}")]
    private partial void LogRenewed(string cellId, DateTimeOffset notAfter);

    [LoggerMessage(3, LogLevel.Warning, "{CellId}: its clock is off by {Skew}")]
    private partial void LogClockSkew(string cellId, TimeSpan skew);
}
