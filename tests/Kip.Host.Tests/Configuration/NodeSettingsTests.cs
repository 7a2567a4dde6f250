using System.CommandLine;
using System.Net;
using Kip.Host.Configuration;

namespace Kip.Host.Tests.Configuration;

public sealed class NodeSettingsTests : IDisposable
{
    private static readonly HostSettings Host = new("/state", new ProviderConfiguration(), new LocalConfiguration(), "/agent", [], [], [], ["of provider.yaml"]);

    private readonly string _folder = Directory.CreateTempSubdirectory("kip-node-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_Nothing_GivesTheGoKipsDefaults()
    {
        var settings = Read([]);

        Assert.Equal(("virtual-kubelet", "cluster.local", 10, 10250), (settings.NodeName, settings.ClusterDomain, settings.Workers, settings.KubeletPort));
        Assert.Equal(("virtual-kubelet.io/provider", "kip", "NoSchedule"), (settings.Taint!.Key, settings.Taint.Value, settings.Taint.Effect));
        Assert.Null(settings.Namespace ?? settings.Kubeconfig ?? settings.InstanceData);
        Assert.Null(settings.ClusterDns ?? settings.InternalIP);
        Assert.Null(settings.StartupTimeout);
        Assert.False(settings.SimulatedCloud || settings.Verbose);
        Assert.Equal(["of provider.yaml"], settings.Warnings);
    }

    [Fact]
    public void Read_CommandLineOfAnExistingManifest_IsUnderstood()
    {
        var settings = Read(
            [
                "--provider", "kip", "--provider-config", "/etc/kip/provider.yaml", "--network-agent-secret", "kube-system/vk-network-agent", "--disable-taint",
                "--klog.logtostderr", "--klog.v=2", "--metrics-addr", ":10255", "--nodename=vk-0", "--os", "Linux", "--namespace", "default",
                "--full-resync-period=1m", "--enable-node-lease", "--pod-sync-workers=20", "--startup-timeout", "1m30s", "--kube-api-qps", "50", "--kube-api-burst", "100",
                "--cluster-dns=10.96.0.10", "--cluster-domain=example.local", "--trace-tag", "a=b,c=d", "--trace-tag", "e=f",
            ],
            ("VKUBELET_POD_IP", "10.0.0.7"), ("KUBELET_PORT", "10260"), ("MASTER_URI", "https://10.0.0.1:6443"));

        Assert.Equal(("vk-0", "default", "example.local", 20), (settings.NodeName, settings.Namespace, settings.ClusterDomain, settings.Workers));
        Assert.Null(settings.Taint);
        Assert.Equal(new IPEndPoint(IPAddress.IPv6Any, 10255), settings.MetricsAddress);
        Assert.Equal((TimeSpan.FromSeconds(90), 50d, 100), (settings.StartupTimeout, settings.ApiQps, settings.ApiBurst));
        Assert.Equal((IPAddress.Parse("10.96.0.10"), IPAddress.Parse("10.0.0.7"), 10260), (settings.ClusterDns, settings.InternalIP, settings.KubeletPort));
        Assert.Equal(new Uri("https://10.0.0.1:6443"), settings.Server);
        Assert.False(settings.Verbose);
        Assert.Equal(
            [
                "--enable-node-lease is ignored: the node always has a lease",
                "--full-resync-period is ignored: nothing is missed that a resync would find",
                "--network-agent-secret is ignored: cells hold no credentials of the cluster: the node tells them what they need",
                "--trace-tag is ignored: traces are not exported",
                "--klog.logtostderr is ignored: the log goes to standard error",
                "of provider.yaml",
            ],
            settings.Warnings);
    }

    [Theory]
    [InlineData("--nodename", "Not A Name", "--nodename: Invalid value: \"Not A Name\": a lowercase RFC 1123 subdomain must")]
    [InlineData("--namespace", "a.b", "--namespace: Invalid value: \"a.b\": a lowercase RFC 1123 label must")]
    [InlineData("--cluster-domain", "_", "--cluster-domain: Invalid value: \"_\": a lowercase RFC 1123 subdomain must")]
    [InlineData("--cluster-dns", "dns", "--cluster-dns: Invalid value: \"dns\": must be an IP address")]
    [InlineData("--provider", "mock", "--provider: Unsupported value: \"mock\": supported values: \"kip\"")]
    [InlineData("--os", "Windows", "--os: Unsupported value: \"Windows\": supported values: \"linux\"")]
    [InlineData("--metrics-addr", "here", "--metrics-addr: Invalid value: \"here\": must be an address and a port, such as 127.0.0.1:10255 or :10255")]
    [InlineData("--taint", "a b", "--taint: Invalid value: \"a b\": name part must consist of")]
    [InlineData("--disable-taint", "perhaps", "--disable-taint: Invalid value: \"perhaps\": must be true or false")]
    [InlineData("--pod-sync-workers", "0", "--pod-sync-workers: Invalid value: \"0\": must be a whole number from 1 to 10000")]
    [InlineData("--startup-timeout", "90", "--startup-timeout: Invalid value: \"90\": must be a duration such as 90s or 2m, at most 596h")]
    [InlineData("--kube-api-qps", "-1", "--kube-api-qps: Invalid value: \"-1\": must be a number, 0 for no limit")]
    [InlineData("--kube-api-burst", "x", "--kube-api-burst: Invalid value: \"x\": must be a whole number from 0 to 2147483647")]
    [InlineData("--instance-data-path", "/no/such", "--instance-data-path: Invalid value: \"/no/such\": there is no such file")]
    [InlineData("--kubeconfig", "/no/such", "--kubeconfig: Invalid value: \"/no/such\": there is no such file")]
    [InlineData("--klog.v", "much", "--klog.v: Invalid value: \"much\": must be a whole number from 0 to 2147483647")]
    public void Read_WrongFlag_IsNamed(string flag, string value, string message)
    {
        var error = Assert.Throws<ConfigurationException>(() => Read([$"{flag}={value}"]));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("VKUBELET_POD_IP", "host", "VKUBELET_POD_IP: Invalid value: \"host\": must be an IP address")]
    [InlineData("KUBELET_PORT", "65536", "KUBELET_PORT: Invalid value: \"65536\": must be a whole number from 1 to 65535")]
    [InlineData("MASTER_URI", "ftp://a", "MASTER_URI: Invalid value: \"ftp://a\": must be the address of an API server, such as https://10.0.0.1:6443")]
    [InlineData("DEFAULTNODE_NAME", "A", "DEFAULTNODE_NAME: Invalid value: \"A\": a lowercase RFC 1123 subdomain must")]
    [InlineData("VKUBELET_TAINT_KEY", "a/b/c", "VKUBELET_TAINT_KEY: Invalid value: \"a/b/c\": ")]
    [InlineData("VKUBELET_TAINT_VALUE", "a b", "VKUBELET_TAINT_VALUE: Invalid value: \"a b\": ")]
    [InlineData("VKUBELET_TAINT_EFFECT", "Never", "VKUBELET_TAINT_EFFECT: Unsupported value: \"Never\": supported values: \"NoSchedule\", \"NoExecute\", \"PreferNoSchedule\"")]
    [InlineData("APISERVER_CERT_LOCATION", "/a.crt", "APISERVER_KEY_LOCATION: Required value: a certificate and its key are given together")]
    [InlineData("APISERVER_KEY_LOCATION", "/a.key", "APISERVER_CERT_LOCATION: Required value: a certificate and its key are given together")]
    [InlineData("MOCK_CLOUD_API", "perhaps", "MOCK_CLOUD_API: Invalid value: \"perhaps\": must be true or false")]
    public void Read_WrongVariable_IsNamed(string variable, string value, string message)
    {
        var error = Assert.Throws<ConfigurationException>(() => Read([], (variable, value)));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ManyErrors_AllAreNamed()
    {
        var error = Assert.Throws<ConfigurationException>(() => Read(["--os=BeOS", "--nodename=A"], ("KUBELET_PORT", "x")));

        Assert.Equal(3, error.Problems.Count);
    }

    [Fact]
    public void Read_NodeName_FlagGoesBeforeVariable()
    {
        Assert.Equal("flag", Read(["--nodename", "flag"], ("DEFAULTNODE_NAME", "variable")).NodeName);
        Assert.Equal("variable", Read([], ("DEFAULTNODE_NAME", "variable")).NodeName);
    }

    [Fact]
    public void Read_TaintOfTheEnvironment_GoesBeforeTheFlag()
    {
        var taint = Read(["--taint=flag"], ("VKUBELET_TAINT_KEY", "variable"), ("VKUBELET_TAINT_VALUE", "v"), ("VKUBELET_TAINT_EFFECT", "NoExecute")).Taint!;

        Assert.Equal(("variable", "v", "NoExecute"), (taint.Key, taint.Value, taint.Effect));
    }

    [Fact]
    public void Read_ServingCertificate_IsTakenWhereItExists()
    {
        var (certificate, key) = (Path.Combine(_folder, "tls.crt"), Path.Combine(_folder, "tls.key"));
        var missing = Read([], ("APISERVER_CERT_LOCATION", certificate), ("APISERVER_KEY_LOCATION", key));
        File.WriteAllText(certificate, "");
        var half = Assert.Throws<ConfigurationException>(() => Read([], ("APISERVER_CERT_LOCATION", certificate), ("APISERVER_KEY_LOCATION", key)));
        File.WriteAllText(key, "");

        Assert.Null(missing.ServingCertificate);
        Assert.StartsWith("APISERVER_CERT_LOCATION: there is no file ", missing.Warnings[0], StringComparison.Ordinal);
        Assert.StartsWith("APISERVER_KEY_LOCATION: Invalid value: ", half.Message, StringComparison.Ordinal);
        Assert.Equal((certificate, key), Read([], ("APISERVER_CERT_LOCATION", certificate), ("APISERVER_KEY_LOCATION", key)).ServingCertificate);
    }

    [Fact]
    public void Read_NoKubeconfigInAPod_IsNoError()
    {
        var settings = Read(["--kubeconfig=/no/such"], ("KUBERNETES_SERVICE_HOST", "10.96.0.1"));

        Assert.Null(settings.Kubeconfig);
        Assert.Contains("/no/such", settings.Warnings[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1:1", "127.0.0.1:1")]
    [InlineData("localhost:2", "127.0.0.1:2")]
    [InlineData("[::1]:3", "[::1]:3")]
    public void Read_MetricsAddress_IsUnderstood(string text, string end) => Assert.Equal(end, Read(["--metrics-addr", text]).MetricsAddress!.ToString());

    [Theory]
    [InlineData("--disable-taint", true)]
    [InlineData("--disable-taint=true", true)]
    [InlineData("--disable-taint=T", true)]
    [InlineData("--disable-taint=false", false)]
    public void Read_Switch_IsTakenAsGoTakesIt(string flag, bool disabled) => Assert.Equal(disabled, Read([flag]).Taint is null);

    [Theory]
    [InlineData("--klog.v=4", true)]
    [InlineData("--klog.v=3", false)]
    [InlineData("--verbose", true)]
    public void Read_Verbosity_IsTaken(string flag, bool verbose) => Assert.Equal(verbose, Read([flag]).Verbose);

    [Theory]
    [InlineData("local", null, null, "File")]
    [InlineData("aws", null, null, "Cluster")]
    [InlineData("local", "cluster", null, "Cluster")]
    [InlineData("aws", "file", null, "File")]
    [InlineData("aws", "file", "cluster", "Cluster")]
    [InlineData("local", null, "cluster", "Cluster")]
    [InlineData("aws", null, "file", "File")]
    public void Read_CellStore_IsTheFlagsThenTheFilesThenWhatGoesWithTheCloud(string cloud, string? file, string? flag, string expected)
    {
        var host = Host with
        {
            Provider = new ProviderConfiguration
            {
                Cloud = cloud == "local" ? new LocalConfiguration() : new AwsConfiguration(),
                Cells = new CellsConfiguration { Store = file is null ? null : Enum.Parse<CellStorePlace>(file, ignoreCase: true) },
            },
        };

        Assert.Equal(expected, Read(host, flag is null ? [] : ["--cell-store", flag]).CellStore.ToString());
    }

    private static NodeSettings Read(string[] arguments, params (string Name, string Value)[] environment) => Read(Host, arguments, environment);

    private static NodeSettings Read(HostSettings host, string[] arguments, params (string Name, string Value)[] environment)
    {
        var options = new NodeOptions();
        var command = new RootCommand();
        options.AddTo(command);
        var parsed = command.Parse(arguments);
        Assert.Empty(parsed.Errors);
        return NodeSettings.Read(options.Read(parsed), n => environment.FirstOrDefault(e => e.Name == n).Value, host);
    }
}
