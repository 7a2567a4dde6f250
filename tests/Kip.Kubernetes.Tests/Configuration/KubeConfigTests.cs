using System.Text;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;

namespace Kip.Kubernetes.Tests.Configuration;

public sealed class KubeConfigTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly FakePki _pki = new();

    public void Dispose()
    {
        _pki.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Load_CurrentContext_HasItsClusterUserAndNamespace()
    {
        var (certificate, key) = _pki.Client("me");
        var configuration = await LoadAsync($"""
            apiVersion: v1
            kind: Config
            current-context: work
            contexts:
            - name: home
              context: {"{cluster: home, user: home}"}
            - name: work
              context: {"{cluster: office, user: me, namespace: mine}"}
            clusters:
            - name: office
              cluster:
                server: https://10.0.0.1:6443/base/
                certificate-authority-data: {Base64(_pki.AuthorityPem)}
                tls-server-name: kubernetes
                proxy-url: socks5://127.0.0.1:1080
            users:
            - name: me
              user:
                client-certificate-data: {Base64(certificate)}
                client-key-data: {Base64(key)}
                token: secret
                as: somebody
                as-groups: [a, b]
            """);
        Assert.Equal(new Uri("https://10.0.0.1:6443/base/"), configuration.Server);
        Assert.Equal(("mine", "kubernetes", new Uri("socks5://127.0.0.1:1080")), (configuration.Namespace, configuration.TlsServerName, configuration.Proxy));
        Assert.False(configuration.SkipTlsVerify);
        Assert.Equal("CN=authority", configuration.CertificateAuthorities!.Single().Subject);
        var credential = await configuration.Credentials.GetAsync(default);
        Assert.Equal(("secret", "CN=me"), (credential.Token, credential.ClientCertificate!.TargetCertificate.Subject));
        Assert.Equal(
            [new("Impersonate-User", "somebody"), new("Impersonate-Group", "a"), new("Impersonate-Group", "b")],
            configuration.Headers);
    }

    [Fact]
    public async Task Load_ContextNamed_IsTaken()
    {
        var file = _directory.Write("config", """
            contexts:
            - name: other
              context: {cluster: plain}
            clusters:
            - name: plain
              cluster: {server: "127.0.0.1:8080", insecure-skip-tls-verify: true}
            """);
        var configuration = await KubernetesConfiguration.LoadAsync(file, "other", TimeProvider.System, default);
        Assert.Equal((new Uri("https://127.0.0.1:8080"), "default", true), (configuration.Server, configuration.Namespace, configuration.SkipTlsVerify));
        Assert.Same(KubernetesCredential.Anonymous, await configuration.Credentials.GetAsync(default));
    }

    [Fact]
    public async Task Load_Files_AreRelativeToTheConfigAndReadAgain()
    {
        var clock = new VirtualClock();
        _directory.Write("pki/ca.crt", _pki.AuthorityPem);
        var (certificate, key) = _pki.Client("me");
        _directory.Write("pki/me.crt", certificate);
        _directory.Write("pki/me.key", key);
        _directory.Write("token", "one\n");
        var file = _directory.Write("config", Minimal("certificate-authority: pki/ca.crt", "tokenFile: token, client-certificate: pki/me.crt, client-key: pki/me.key"));
        var configuration = await KubernetesConfiguration.LoadAsync(file, null, clock, default);
        Assert.Equal(_directory["pki/ca.crt"], configuration.CertificateAuthorityFile);
        var first = await configuration.Credentials.GetAsync(default);
        _directory.Write("token", "two");
        Assert.Same(first, await configuration.Credentials.GetAsync(default));
        clock.Advance(TimeSpan.FromMinutes(1));
        var second = await configuration.Credentials.GetAsync(default);
        Assert.Equal(("one", "two"), (first.Token, second.Token));
        Assert.Same(first.ClientCertificate, second.ClientCertificate);
    }

    [Fact]
    public async Task Load_FileThatVanishes_TheLastTokenStaysUntilItIsRefused()
    {
        var clock = new VirtualClock();
        var token = _directory.Write("token", "one");
        var credentials = (await KubernetesConfiguration.LoadAsync(
            _directory.Write("config", Minimal("", "tokenFile: token")), null, clock, default)).Credentials;
        File.Delete(token);
        clock.Advance(TimeSpan.FromMinutes(5));
        var credential = await credentials.GetAsync(default);
        Assert.Equal("one", credential.Token);
        Assert.True(credentials.Refuse(credential));
        var e = await Assert.ThrowsAsync<KubernetesConfigurationException>(async () => await credentials.GetAsync(default));
        Assert.StartsWith($"{token}: ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Load_SeveralFiles_TheFirstEntryCounts()
    {
        var a = _directory.Write("a", "current-context: c\nclusters: [{name: k, cluster: {server: \"http://a\"}}]");
        var b = _directory.Write("b", "current-context: d\ncontexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, cluster: {server: \"http://b\"}}]");
        var files = KubeConfigFiles.Find(null, $"{_directory["none"]}:{a}:{b}", "/nowhere");
        Assert.Equal([a, b], files);
        Assert.Equal(new Uri("http://a"), (await KubeConfigLoader.LoadAsync(files, null, TimeProvider.System, default)).Server);
    }

    [Fact]
    public void Find_NothingNamed_TakesTheUsualPlace()
    {
        Assert.Empty(KubeConfigFiles.Find(null, null, _directory.Path));
        var usual = _directory.Write(".kube/config", "x: y");
        Assert.Equal([usual], KubeConfigFiles.Find(null, "", _directory.Path));
        Assert.Equal(["/a"], KubeConfigFiles.Find("/a", "/b", _directory.Path));
        Assert.Equal(["/b"], KubeConfigFiles.Find(null, "/b", _directory.Path));
    }

    [Theory]
    [InlineData("current-context: [", "config:2:")]
    [InlineData("clusters: 5", "clusters")]
    [InlineData("users: []", "config: there is no current-context; name a context")]
    [InlineData("current-context: x", "config: contexts: there is none named x; there are none at all")]
    [InlineData("{current-context: x, contexts: [{name: other}]}", "config: contexts: there is none named x; there is other")]
    [InlineData("{current-context: x, contexts: [{name: x}]}", "config: contexts[0].context.cluster: there is none")]
    [InlineData("{current-context: x, contexts: [{name: x, context: {cluster: k}}], clusters: [{name: k}]}", "config: clusters[0].cluster.server: there is none")]
    public async Task Load_Unusable_NamesFileAndField(string text, string expected)
    {
        var e = await Assert.ThrowsAsync<KubernetesConfigurationException>(() => LoadAsync(text));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.Contains(_directory.Path, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("server: 'ftp://x'", "", "clusters[0].cluster.server: ftp://x is no http or https address")]
    [InlineData("proxy-url: 'ftp://x'", "", "clusters[0].cluster.proxy-url: ftp://x is no http, https or socks5 address")]
    [InlineData("certificate-authority-data: '%'", "", "clusters[0].cluster.certificate-authority-data: not base64")]
    [InlineData("certificate-authority-data: aGVsbG8=", "", "clusters[0].cluster.certificate-authority-data: there is no certificate in it")]
    [InlineData("certificate-authority: nope", "", "clusters[0].cluster.certificate-authority: {0}/nope: ")]
    [InlineData("", "client-key: nope", "users[0].user.client-certificate: there is none")]
    [InlineData("", "client-certificate: nope", "users[0].user.client-key: there is none")]
    [InlineData("", "client-certificate: nope, client-key: nope", "{0}/nope: ")]
    [InlineData("", "client-certificate-data: aGVsbG8=, client-key-data: aGVsbG8=", "users[0].user.client-certificate: there is no certificate in it")]
    [InlineData("", "tokenFile: nope", "{0}/nope: ")]
    [InlineData("", "username: u, password: p", "users[0].user.username: Kubernetes has removed passwords")]
    [InlineData("", "auth-provider: {name: gcp}", "users[0].user.auth-provider: Kubernetes has removed these")]
    [InlineData("", "exec: {}", "users[0].user.exec.command: there is none")]
    [InlineData("", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}", "users[0].user.exec.apiVersion: ")]
    [InlineData("", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}", "users[0].user.exec.interactiveMode: ")]
    public async Task Load_WrongField_NamesFileAndField(string cluster, string user, string expected)
    {
        var e = await Assert.ThrowsAsync<KubernetesConfigurationException>(() => LoadAsync(Minimal(cluster, user)));
        Assert.Contains(expected.Replace("{0}", _directory.Path, StringComparison.Ordinal), e.Message, StringComparison.Ordinal);
        Assert.Contains(_directory.Path, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InCluster_MountedAccount_IsRead()
    {
        var clock = new VirtualClock();
        _directory.Write("ca.crt", _pki.AuthorityPem);
        _directory.Write("token", "one");
        _directory.Write("namespace", "mine\n");
        var configuration = await InCluster.LoadAsync(_directory.Path, "fd00::1", "443", clock, default);
        Assert.Equal((new Uri("https://[fd00::1]:443"), "mine"), (configuration.Server, configuration.Namespace));
        Assert.Equal("one", (await configuration.Credentials.GetAsync(default)).Token);
        _directory.Write("token", "two");
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("two", (await configuration.Credentials.GetAsync(default)).Token);
    }

    [Theory]
    [InlineData(null, "443", "KUBERNETES_SERVICE_HOST")]
    [InlineData("10.0.0.1", "0x1", "KUBERNETES_SERVICE_PORT")]
    [InlineData("10.0.0.1", "443", "/token: ")]
    public async Task InCluster_NotAPod_SaysWhatIsMissing(string? host, string port, string expected)
    {
        var e = await Assert.ThrowsAsync<KubernetesConfigurationException>(
            () => InCluster.LoadAsync(_directory.Path, host, port, TimeProvider.System, default));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    private static string Minimal(string cluster, string user) => $"""
        current-context: x
        contexts: [{"{name: x, context: {cluster: k, user: u}}"}]
        clusters:
        - name: k
          cluster: {"{"} {(cluster.StartsWith("server", StringComparison.Ordinal) ? "" : "server: 'https://x', ")}{cluster} {"}"}
        users:
        - name: u
          user: {"{"} {user} {"}"}
        """;

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private Task<KubernetesConfiguration> LoadAsync(string text) =>
        KubernetesConfiguration.LoadAsync(_directory.Write("config", text), null, TimeProvider.System, default);
}
