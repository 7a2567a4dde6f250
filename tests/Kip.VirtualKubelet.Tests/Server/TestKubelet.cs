using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Kip.VirtualKubelet.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests;

/// <summary>A kubelet API on loopback, over real TLS, with pods that are processes.</summary>
internal sealed class TestKubelet : IAsyncDisposable
{
    private readonly KubeletServer _server;
    private readonly List<IDisposable> _owned = [];

    private TestKubelet(Func<KubeletServerOptions, KubeletServerOptions> change)
    {
        Certificate = Certificates.Server();
        var authenticator = new KubeletAuthenticator(
            () => [Certificates.Authority], client: null, TimeProvider.System, NullLogger.Instance);
        _server = new KubeletServer(
            change(new() { NodeName = "node", Address = IPAddress.Loopback, Port = 0, Certificate = Serving }),
            Host,
            authenticator,
            Authorizer,
            TimeProvider.System,
            NullLoggerFactory.Instance);
    }

    /// <summary>Of the issuers of <see cref="Certificate"/>, those that clients do not have.</summary>
    public X509Certificate2Collection Issuers { get; } = [];

    public TestCertificates Certificates { get; } = new();

    public X509Certificate2 Certificate { get; set; }

    public ProcessPodHost Host { get; } = new();

    public FakeAuthorizer Authorizer { get; } = new();

    public int PlainMetricsPort => _server.PlainMetricsPort;

    public Uri Address => new($"https://127.0.0.1:{_server.Port}");

    public static async Task<TestKubelet> StartAsync(Func<KubeletServerOptions, KubeletServerOptions>? change = null)
    {
        var kubelet = new TestKubelet(change ?? (static o => o));
        kubelet.Host.Add("pod", "uid-1", "main");
        await kubelet._server.StartAsync(default);
        return kubelet;
    }

    private SslStreamCertificateContext Serving() => SslStreamCertificateContext.Create(Certificate, Issuers, offline: true);

    /// <summary>A caller with this certificate, or with none.</summary>
    public HttpClient Client(X509Certificate2? certificate)
    {
        var client = new HttpClient(new SocketsHttpHandler { SslOptions = SslOptions(certificate), ConnectTimeout = TimeSpan.FromSeconds(30) })
        {
            BaseAddress = Address,
            Timeout = TimeSpan.FromMinutes(2),
        };
        _owned.Add(client);
        return client;
    }

    /// <summary>A caller that the server knows.</summary>
    public HttpClient Client() => Client(Certificates.Client("CN=alice, O=readers"));

    public SslClientAuthenticationOptions SslOptions(X509Certificate2? certificate) => new()
    {
        ClientCertificates = certificate is null ? null : [certificate],
        RemoteCertificateValidationCallback = (_, served, _, _) =>
        {
            Served = served?.GetCertHashString();
            return Served == Certificate.GetCertHashString();
        },
    };

    /// <summary>The hash of the certificate that the server last showed.</summary>
    public string? Served { get; private set; }

    public async ValueTask DisposeAsync()
    {
        _owned.ForEach(static each => each.Dispose());
        await _server.DisposeAsync();
        Certificates.Dispose();
        Certificate.Dispose();
    }
}
