using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Kip.VirtualKubelet.Tests;

/// <summary>Nobody gets in who is not known and allowed, whatever the path.</summary>
public sealed class AccessTests
{
    public static TheoryData<string, string, string> Paths => new()
    {
        { "GET", "/healthz", "get healthz,get proxy" },
        { "GET", "/healthz/ping", "get healthz,get proxy" },
        { "GET", "/pods", "get pods,get proxy" },
        { "GET", "/runningpods/", "get pods,get proxy" },
        { "GET", "/configz", "get configz,get proxy" },
        { "GET", "/stats/summary", "get stats" },
        { "POST", "/stats/summary", "create stats" },
        { "GET", "/metrics", "get metrics" },
        { "GET", "/metrics/resource", "get metrics" },
        { "GET", "/metrics/cadvisor", "get metrics" },
        { "GET", "/metrics/probes", "get metrics" },
        { "GET", "/logs/syslog", "get log" },
        { "GET", "/containerLogs/default/pod/main", "get proxy" },
        { "GET", "/exec/default/pod/main?command=true&output=1", "create proxy" },
        { "POST", "/exec/default/pod/main?command=true&output=1", "create proxy" },
        { "POST", "/exec/default/pod/uid-1/main?command=true&output=1", "create proxy" },
        { "GET", "/attach/default/pod/main?output=1", "create proxy" },
        { "POST", "/attach/default/pod/uid-1/main?output=1", "create proxy" },
        { "POST", "/run/default/pod/main?cmd=true", "create proxy" },
        { "POST", "/run/default/pod/uid-1/main?cmd=true", "create proxy" },
        { "GET", "/portForward/default/pod", "create proxy" },
        { "POST", "/portForward/default/pod/uid-1", "create proxy" },
        { "DELETE", "/pods", "delete pods,delete proxy" },
        { "GET", "/", "get proxy" },
        { "GET", "/debug/pprof/", "get proxy" },
        { "GET", "/podsx", "get proxy" },
        { "GET", "/no/such/path", "get proxy" },
    };

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task AnyPath_CallerIsUnknown_IsRefused(string method, string path, string asked)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var strangers = new TestCertificates();
        using var foreign = strangers.Client("CN=alice, O=system:masters");
        using var expired = kubelet.Certificates.Expired("CN=alice");
        using var server = kubelet.Certificates.WrongPurpose("CN=alice");
        using var nameless = kubelet.Certificates.Client("O=readers");

        foreach (var certificate in (System.Security.Cryptography.X509Certificates.X509Certificate2?[])[null, foreign, expired, server, nameless])
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer guess");
            using var answer = await kubelet.Client(certificate).SendAsync(request);

            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Equal("Unauthorized", (await answer.Content.ReadAsStringAsync()).Trim());
        }

        Assert.Empty(kubelet.Authorizer.Asked);
        Assert.Empty(kubelet.Host.Sessions);
        Assert.NotEmpty(asked);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task AnyPath_CallerMayNot_IsRefused(string method, string path, string asked)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Authorizer.Allow = static (_, _, _) => false;
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("Upgrade", "websocket");
        request.Headers.TryAddWithoutValidation("Connection", "Upgrade");

        using var answer = await kubelet.Client().SendAsync(request);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.StartsWith("Forbidden (user=alice, verb=", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(asked.Split(','), kubelet.Authorizer.Asked);
        Assert.Empty(kubelet.Host.Sessions);
    }

    [Theory]
    [InlineData("/pods", "pods")]
    [InlineData("/healthz", "healthz")]
    [InlineData("/configz", "configz")]
    [InlineData("/pods", "proxy")]
    [InlineData("/stats/summary", "stats")]
    [InlineData("/metrics/resource", "metrics")]
    public async Task Path_OneSubresourceIsAllowed_IsServed(string path, string allowed)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Authorizer.Allow = (user, verb, subresource) => (user, verb, subresource) == ("alice", "get", allowed);

        using var answer = await kubelet.Client().GetAsync(new Uri(path, UriKind.Relative));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Certificate_OfAnIntermediate_IsVerifiedByAClientThatKnowsTheRootOnly()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        using var direct = kubelet.Certificate;
        var (server, issuer) = kubelet.Certificates.ServerOfIntermediate();
        kubelet.Certificate = server;
        var options = kubelet.SslOptions(kubelet.Certificates.Client("CN=alice"));
        options.RemoteCertificateValidationCallback = null;
        options.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            CustomTrustStore = { kubelet.Certificates.Authority },
        };
        using var handler = new SocketsHttpHandler { SslOptions = options };
        using var client = new HttpClient(handler) { BaseAddress = kubelet.Address };
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync(new Uri("/healthz", UriKind.Relative)));

        kubelet.Issuers.Add(issuer);

        Assert.Equal("ok", await client.GetStringAsync(new Uri("/healthz", UriKind.Relative)));
    }

    [Fact]
    public async Task Certificate_IsRotated_NewConnectionsSeeTheNewOne()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        var before = kubelet.Certificate;
        using var first = await kubelet.Client().GetAsync(new Uri("/healthz", UriKind.Relative));
        Assert.Equal(before.GetCertHashString(), kubelet.Served);

        kubelet.Certificate = kubelet.Certificates.Server("renewed");
        using var second = await kubelet.Client().GetAsync(new Uri("/healthz", UriKind.Relative));

        Assert.Equal(kubelet.Certificate.GetCertHashString(), kubelet.Served);
        before.Dispose();
    }
}
