using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Kubernetes.Configuration;

namespace Kip.Kubernetes.Client;

/// <summary>The connections of a client under one client certificate.</summary>
internal sealed class Transport : IDisposable
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    // An API server that vanishes without a word is noticed after twice this time, also by an idle watch.
    private static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly HttpMessageInvoker _invoker;

    public Transport(KubernetesConfiguration configuration, SslStreamCertificateContext? certificate, TimeProvider timeProvider)
    {
        Certificate = certificate;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            MaxResponseDrainSize = 0,
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = ConnectTimeout,
            KeepAlivePingDelay = PingInterval,
            KeepAlivePingTimeout = PingInterval,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            ConnectCallback = ConnectAsync,
            UseProxy = configuration.Proxy is not null || !(configuration.IgnoreEnvironmentProxy || configuration.Server.IsLoopback),
            SslOptions = new SslClientAuthenticationOptions { ClientCertificateContext = certificate },
        };
        if (configuration.Proxy is not null)
        {
            handler.Proxy = new WebProxy(configuration.Proxy);
        }

        handler.SslOptions.RemoteCertificateValidationCallback = ServerCertificateCheck(configuration, timeProvider);
        _invoker = new HttpMessageInvoker(handler);
    }

    public SslStreamCertificateContext? Certificate { get; }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        _invoker.SendAsync(request, cancellationToken);

    public void Dispose() => _invoker.Dispose();

    private static RemoteCertificateValidationCallback? ServerCertificateCheck(KubernetesConfiguration configuration, TimeProvider timeProvider)
    {
        if (configuration.SkipTlsVerify)
        {
#pragma warning disable CA5359 // The user asked for it by insecure-skip-tls-verify.
            return static (_, _, _, _) => true;
#pragma warning restore CA5359
        }

        Func<X509Certificate2Collection>? authorities = configuration switch
        {
            { CertificateAuthorityFile: { } path } =>
                new ReloadedFile<X509Certificate2Collection>([path], texts => Pem.ReadAuthorities(texts[0], path), timeProvider).Get,
            { CertificateAuthorities: { } fixedOnes } => () => fixedOnes,
            _ => null,
        };
        return authorities is null ? null : (_, certificate, chain, errors) => IsTrusted(certificate, chain, errors, authorities());
    }

    private static bool IsTrusted(X509Certificate? certificate, X509Chain? presented, SslPolicyErrors errors, X509Certificate2Collection authorities)
    {
        // A chain error is expected: the system does not know the cluster's authority. A wrong name or no certificate is final.
        if ((errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None || certificate is not X509Certificate2 server)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        if (presented is not null)
        {
            chain.ChainPolicy.ExtraStore.AddRange(presented.ChainPolicy.ExtraStore);
        }

        return chain.Build(server);
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            // HTTP/1.1 has no pings: the kernel asks instead.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, (int)PingInterval.TotalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, (int)PingInterval.TotalSeconds / 3);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
