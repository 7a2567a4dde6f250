using System.Net;
using System.Text;
using Kip.Agents;
using Kip.Kubernetes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.VirtualKubelet.Pods;
using Kip.VirtualKubelet.Resolution;
using Kip.VirtualKubelet.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests.Resolution;

public sealed class PodResolverTests : IDisposable
{
    private static readonly ObjectKey _key = new("ns", "pod");
    private readonly VirtualClock _clock = new();
    private readonly FakeObjects _objects;
    private readonly PodResolver _resolver;
    private readonly RecordedEvents _recorded = new();
    private readonly List<ObjectKey> _changed = [];

    public PodResolverTests()
    {
        _objects = new FakeObjects(_clock);
        _resolver = new PodResolver(
            _objects, new ClusterDns([IPAddress.Parse("10.0.0.10")], "cluster.local"), new PodEvents(_recorded), _clock, NullLogger<PodResolver>.Instance);
        _resolver.Changed += _changed.Add;
    }

    public void Dispose() => _resolver.Dispose();

    [Fact]
    [PodField("spec.dnsPolicy")]
    public async Task Dns_OfPodWithoutPolicy_IsTheClusters()
    {
        var spec = (await ResolveAsync(Pod(env: []))).Pod.Spec;

        Assert.Equal("None", spec.DnsPolicy);
        Assert.Equal(["10.0.0.10"], spec.DnsConfig!.Nameservers);
        Assert.Equal(["ns.svc.cluster.local", "svc.cluster.local", "cluster.local"], spec.DnsConfig.Searches);
    }

    [Fact]
    [PodField("spec.containers[].env[].valueFrom.configMapKeyRef", "spec.containers[].env[].valueFrom.secretKeyRef",
        "spec.containers[].envFrom[].configMapRef", "spec.containers[].envFrom[].secretRef", "spec.containers[].envFrom[].prefix")]
    public async Task Environment_OfEverySource_ExpandsInTheKubeletsOrder()
    {
        _objects.Put(ConfigMap("c", ("A", "from c"), ("B", "$(A) stays"), ("bad=key", "x")));
        _objects.Put(Secret("s", ("B", "from s"), ("pass", "p$(A)$$w")));
        _objects.Put(Service("ns", "web-app", "10.0.0.7", new ServicePort { Name = "http", Port = 80 }));
        var pod = Pod(env:
        [
            new() { Name = "C", Value = "$(A)/$(P_B)/$(WEB_APP_SERVICE_HOST)/$(LATER)/$$(A)" },
            new() { Name = "LATER", Value = "later" },
            new() { Name = "PASS", ValueFrom = new() { SecretKeyRef = new() { Name = "s", Key = "pass" } } },
            new() { Name = "CM", ValueFrom = new() { ConfigMapKeyRef = new() { Name = "c", Key = "A" } } },
            new() { Name = "A", ValueFrom = new() { ConfigMapKeyRef = new() { Name = "c", Key = "gone", Optional = true } } },
            new() { Name = "NONE", ValueFrom = new() { SecretKeyRef = new() { Name = "gone", Key = "k", Optional = true } } },
            new() { Name = "IP", ValueFrom = new() { FieldRef = new() { FieldPath = "status.podIP" } } },
        ]);
        pod.Spec.Containers[0].EnvFrom =
        [
            new() { ConfigMapRef = new() { Name = "c" } }, new() { Prefix = "P_", SecretRef = new() { Name = "s" } },
            new() { ConfigMapRef = new() { Name = "gone", Optional = true } },
        ];
        pod.Spec.Containers[0].Args = ["$(C)", "$(PASS)"];

        var resolved = (await ResolveAsync(pod)).Pod.Spec.Containers[0];
        var expanded = ContainerExpansion.Expand(resolved);
        var env = expanded.Env.ToDictionary();

        Assert.Null(resolved.EnvFrom);
        Assert.Equal("status.podIP", resolved.Env!.Single(each => each.Name == "IP").ValueFrom!.FieldRef!.FieldPath);
        Assert.Equal(("from c", "$(A) stays", "from s"), (env["A"], env["B"], env["P_B"]));
        Assert.Equal("from c/from s/10.0.0.7/$(LATER)/$(A)", env["C"]);
        Assert.Equal(("p$(A)$$w", "p$(A)$$w", "from c"), (env["PASS"], env["P_pass"], env["CM"]));
        Assert.False(env.ContainsKey("NONE"));
        Assert.Equal([env["C"], env["PASS"]], expanded.Args);
        Assert.Equal(
            ["pod Warning InvalidEnvironmentVariableNames: Keys [bad=key] from the EnvFrom configMap ns/c were skipped since they are considered invalid environment variable names."],
            _recorded.All);
        Assert.NotNull(pod.Spec.Containers[0].EnvFrom);
    }

    [Fact]
    [PodField("spec.enableServiceLinks")]
    public async Task Environment_OfServices_HasTheKubeletsNames()
    {
        _objects.Put(Service("ns", "b-web", "fd00::1", new() { Name = "http", Port = 80 }, new() { Name = "dns-udp", Port = 53, Protocol = "UDP" }));
        _objects.Put(Service("ns", "headless", "None", new ServicePort { Port = 1 }));
        _objects.Put(Service("ns", "external", "", new ServicePort { Port = 1 }));
        _objects.Put(Service("default", "kubernetes", "10.0.0.1", new ServicePort { Name = "https", Port = 443, Protocol = "TCP" }));
        _objects.Put(Service("default", "other", "10.0.0.2", new ServicePort { Port = 1 }));

        Assert.Equal(
            [
                "B_WEB_SERVICE_HOST=fd00::1", "B_WEB_SERVICE_PORT=80", "B_WEB_SERVICE_PORT_HTTP=80", "B_WEB_SERVICE_PORT_DNS_UDP=53",
                "B_WEB_PORT=tcp://[fd00::1]:80", "B_WEB_PORT_80_TCP=tcp://[fd00::1]:80", "B_WEB_PORT_80_TCP_PROTO=tcp",
                "B_WEB_PORT_80_TCP_PORT=80", "B_WEB_PORT_80_TCP_ADDR=fd00::1", "B_WEB_PORT_53_UDP=udp://[fd00::1]:53",
                "B_WEB_PORT_53_UDP_PROTO=udp", "B_WEB_PORT_53_UDP_PORT=53", "B_WEB_PORT_53_UDP_ADDR=fd00::1",
                "KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_PORT_HTTPS=443",
                "KUBERNETES_PORT=tcp://10.0.0.1:443", "KUBERNETES_PORT_443_TCP=tcp://10.0.0.1:443", "KUBERNETES_PORT_443_TCP_PROTO=tcp",
                "KUBERNETES_PORT_443_TCP_PORT=443", "KUBERNETES_PORT_443_TCP_ADDR=10.0.0.1",
            ],
            await EnvironmentAsync(Pod()));

        var unlinked = Pod();
        unlinked.Spec.EnableServiceLinks = false;
        Assert.All(await EnvironmentAsync(unlinked), variable => Assert.StartsWith("KUBERNETES_", variable, StringComparison.Ordinal));
        Assert.DoesNotContain(new ObjectId(ObjectKind.Service, "ns", ""), _objects.Followed);
    }

    [Fact]
    [PodField("spec.volumes[].configMap.name", "spec.volumes[].configMap.items", "spec.volumes[].configMap.defaultMode",
        "spec.volumes[].secret.secretName", "spec.volumes[].secret.items", "spec.volumes[].secret.optional", "spec.volumes[].secret.defaultMode",
        "spec.volumes[].configMap.optional",
        "spec.volumes[].projected.sources[].configMap", "spec.volumes[].projected.sources[].secret",
        "spec.volumes[].projected.sources[].serviceAccountToken")]
    public async Task Volumes_OfEverySource_HaveTheirFiles()
    {
        var configMap = ConfigMap("c", ("a", "alpha"), ("b", "beta"));
        configMap.BinaryData = new() { ["bin"] = [0, 255] };
        _objects.Put(configMap);
        _objects.Put(Secret("s", ("key", "hidden"), ("other", "x")));
        _objects.Put(ConfigMap("kube-root-ca.crt", ("ca.crt", "CA")));
        var pod = Pod(volumes:
        [
            new() { Name = "all", ConfigMap = new() { Name = "c", DefaultMode = 256 } },
            new() { Name = "some", ConfigMap = new() { Name = "c", Optional = true, Items = [new() { Key = "b", Path = "deep/./b", Mode = 292 }, new() { Key = "no", Path = "no" }] } },
            new() { Name = "none", Secret = new() { SecretName = "gone", Optional = true } },
            new() { Name = "secret", Secret = new() { SecretName = "s", DefaultMode = 288, Items = [new() { Key = "key", Path = "k" }] } },
            new() { Name = "empty", EmptyDir = new() },
            KubeApiAccess(),
        ]);

        var assignment = await ResolveAsync(pod);

        Assert.Equal(
            [
                "all/a 400 5:alpha", "all/b 400 4:beta", "all/bin 400 2:\0\ufffd", "some/deep/b 444 4:beta", "secret/k 440 6:hidden",
                "kube-api-access/token 644 7:token-1", "kube-api-access/ca.crt 644 2:CA",
            ],
            Files(assignment));
        Assert.Equal(["all", "some", "none", "secret", "kube-api-access"], assignment.Volumes.Select(volume => volume.Name));
        var (account, spec) = Assert.Single(_objects.TokenRequests);
        Assert.Equal((new ObjectKey("ns", "default"), 3607L, "pod", "uid-1"), (account, spec.ExpirationSeconds, spec.BoundObjectRef!.Name, spec.BoundObjectRef.Uid));
        Assert.DoesNotContain("hidden", assignment.ToString() + assignment.Volumes[3].Files[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, null, 0b110_100_100, 0)]
    [InlineData(1000L, null, null, 0b110_000_000, 1000)]
    [InlineData(1000L, 2000L, null, 0b110_100_100, 0)]
    [InlineData(null, null, 7L, 0b110_000_000, 0)]
    [PodField("spec.volumes[].projected.sources[].serviceAccountToken")]
    public async Task Token_ForUsersOfTheirOwn_IsTheirsAlone(long? user, long? otherUser, long? group, int mode, long owner)
    {
        _objects.Put(ConfigMap("kube-root-ca.crt", ("ca.crt", "CA")));
        var pod = Pod(volumes: [KubeApiAccess()]);
        pod.Spec.SecurityContext = new() { RunAsUser = user, FsGroup = group };
        pod.Spec.InitContainers = [new() { Name = "init", SecurityContext = new() { RunAsUser = otherUser } }];

        var token = (await ResolveAsync(pod)).Volumes[0].Files.Single(file => file.Path == "token");

        Assert.Equal((mode, owner), (token.Mode, token.Owner));
    }

    [Fact]
    public async Task Resolve_WithoutAnObject_SaysWhichAndWhyAndTellsWhenItComes()
    {
        var pod = Pod(volumes: [new() { Name = "v", ConfigMap = new() { Name = "late" } }]);

        var error = await Assert.ThrowsAsync<PodResolutionException>(() => ResolveAsync(pod));
        Assert.Equal(("FailedMount", "ConfigMap ns/late not found: volume v needs it"), (error.Reason, error.Message));
        Assert.True(_resolver.IsStale(pod));
        _objects.Put(ConfigMap("late", ("a", "1")));

        Assert.Equal([_key], _changed);
        Assert.Equal(["v/a 644 1:1"], Files(await ResolveAsync(pod)));
        Assert.False(_resolver.IsStale(pod));
    }

    [Fact]
    public async Task RuntimeClass_OfAPod_GivesItsHandler()
    {
        var pod = Pod();
        pod.Spec.RuntimeClassName = "accelerated";

        var error = await Assert.ThrowsAsync<PodResolutionException>(() => ResolveAsync(pod));
        Assert.Equal(("FailedCreatePodSandBox", "RuntimeClass \"accelerated\" not found"), (error.Reason, error.Message));
        _objects.Put(new RuntimeClass { Metadata = new() { Name = "accelerated" }, Handler = "nvidia" });

        Assert.Equal([_key], _changed);
        Assert.Equal("nvidia", (await ResolveAsync(pod)).RuntimeHandler);
    }

    [Theory]
    [InlineData("configMapKeyRef", "c", "CreateContainerConfigError", "couldn't find key k in ConfigMap ns/c: X of container main needs it")]
    [InlineData("configMapKeyRef", "no", "CreateContainerConfigError", "ConfigMap ns/no not found: X of container main needs it")]
    [InlineData("secretKeyRef", "no", "CreateContainerConfigError", "Secret ns/no not found: X of container main needs it")]
    public async Task Resolve_WithoutAValue_SaysWhich(string kind, string name, string reason, string message)
    {
        _objects.Put(ConfigMap("c"));
        var selector = new KeySelector { Name = name, Key = "k" };
        var pod = Pod(env: [new() { Name = "X", ValueFrom = kind == "secretKeyRef" ? new() { SecretKeyRef = selector } : new() { ConfigMapKeyRef = selector } }]);

        var error = await Assert.ThrowsAsync<PodResolutionException>(() => ResolveAsync(pod));

        Assert.Equal((reason, message), (error.Reason, error.Message));
    }

    [Fact]
    [PodField("spec.volumes[].projected.sources[].clusterTrustBundle", Refused = true)]
    public async Task Projection_OfATrustBundle_IsRefused()
    {
        var pod = Pod(volumes: [new() { Name = "v", Projected = new() { Sources = [new() { ClusterTrustBundle = new() { Path = "ca.crt" } }] } }]);

        var error = await Assert.ThrowsAsync<PodResolutionException>(() => ResolveAsync(pod));

        Assert.Equal(("FailedMount", "volume v: this version of Kip cannot project a clusterTrustBundle"), (error.Reason, error.Message));
    }

    [Fact]
    [PodField("spec.volumes[].projected.sources[].podCertificate", Refused = true)]
    public async Task Projection_OfAPodCertificate_IsRefused()
    {
        using var certificate = System.Text.Json.JsonDocument.Parse("{}");
        var pod = Pod(volumes: [new() { Name = "v", Projected = new() { Sources = [new() { PodCertificate = certificate.RootElement }] } }]);

        var error = await Assert.ThrowsAsync<PodResolutionException>(() => ResolveAsync(pod));

        Assert.Equal(("FailedMount", "volume v: this version of Kip cannot project a podCertificate"), (error.Reason, error.Message));
    }

    [Fact]
    public async Task Change_OfAnObject_MakesStaleThePodsThatNameItAndNoOthers()
    {
        _objects.Put(ConfigMap("c", ("a", "1")));
        _objects.Put(ConfigMap("d", ("a", "1")));
        _objects.Put(Service("ns", "web", "10.0.0.7", new ServicePort { Port = 80 }));
        var (first, second) = (Pod(volumes: [new() { Name = "v", ConfigMap = new() { Name = "c" } }]), Pod("other", volumes: [new() { Name = "v", ConfigMap = new() { Name = "d" } }]));
        await ResolveAsync(first);
        await ResolveAsync(second);

        _objects.Put(Service("ns", "web", "10.0.0.8", new ServicePort { Port = 80 }));
        Assert.Empty(_changed);
        _objects.Put(ConfigMap("c", ("a", "2")));

        Assert.Equal([_key], _changed);
        Assert.Equal((true, false), (_resolver.IsStale(first), _resolver.IsStale(second)));
        Assert.Equal(["v/a 644 1:2"], Files(await ResolveAsync(first)));
        Assert.False(_resolver.IsStale(first));
    }

    [Fact]
    public async Task Objects_AreFollowedOnceAndAsLongAsAPodNamesThem()
    {
        _objects.Put(ConfigMap("c"));
        var volumes = new List<Volume> { new() { Name = "v", ConfigMap = new() { Name = "c" } } };
        await ResolveAsync(Pod(volumes: volumes));
        await ResolveAsync(Pod("other", volumes: volumes));

        ObjectId[] shared = [PodReferences.ApiService, new(ObjectKind.ServiceAccount, "ns", "default"), new(ObjectKind.Service, "ns", "")];
        Assert.Equal([.. shared, new ObjectId(ObjectKind.ConfigMap, "ns", "c")], _objects.Followed);
        _resolver.Forget(_key);
        Assert.Equal(4, _objects.Followed.Count);
        await ResolveAsync(Pod("other"));
        Assert.Equal(shared, _objects.Followed);
        _resolver.Forget(new ObjectKey("ns", "other"));
        Assert.Empty(_objects.Followed);
    }

    [Fact]
    public async Task Token_After80PercentOfItsLife_IsMadeAnew()
    {
        _objects.Put(ConfigMap("kube-root-ca.crt", ("ca.crt", "CA")));
        var pod = Pod(volumes: [KubeApiAccess()]);
        await ResolveAsync(pod);
        _clock.Advance(TimeSpan.FromMinutes(47));
        await ResolveAsync(pod);
        Assert.Single(_objects.TokenRequests);
        Assert.Empty(_changed);

        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal([_key], _changed);
        Assert.True(_resolver.IsStale(pod));
        Assert.Contains("kube-api-access/token 644 7:token-2", Files(await ResolveAsync(pod)));

        _objects.TokenError = new KubernetesApiException("gone fishing", inner: null);
        _clock.Advance(TimeSpan.FromMinutes(48));
        Assert.Contains("kube-api-access/token 644 7:token-2", Files(await ResolveAsync(pod)));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(3, _changed.Count);
        _clock.Advance(TimeSpan.FromMinutes(12));
        await Assert.ThrowsAsync<KubernetesApiException>(() => ResolveAsync(pod));
    }

    [Fact]
    public async Task Pod_MadeAnewUnderItsName_GetsATokenOfItsOwn()
    {
        _objects.Put(ConfigMap("kube-root-ca.crt", ("ca.crt", "CA")));
        await ResolveAsync(Pod(volumes: [KubeApiAccess()]));
        var another = Pod(volumes: [KubeApiAccess()]);
        another.Metadata.Uid = "uid-2";

        Assert.True(_resolver.IsStale(another));
        await ResolveAsync(another);

        Assert.Equal(["uid-1", "uid-2"], _objects.TokenRequests.Select(each => each.Spec.BoundObjectRef!.Uid));
    }

    [Fact]
    [PodField("spec.imagePullSecrets", "spec.serviceAccountName")]
    public async Task PullSecrets_OfPodAndAccount_GiveTheirLogins()
    {
        var login = Convert.ToBase64String("me:pw"u8);
        _objects.Put(Secret("own", (".dockerconfigjson", $"{{\"auths\":{{\"https://r.example/v2\":{{\"auth\":\"{login}\"}}}}}}")));
        _objects.Put(Secret("old", (".dockercfg", """{"old.example":{"username":"u","password":"p"}}""")));
        _objects.Put(Secret("broken", (".dockerconfigjson", "{\"auths\": 1}")));
        _objects.Put(new ServiceAccount { Metadata = Meta("default"), ImagePullSecrets = [new() { Name = "old" }, new() { Name = "own" }] });
        var pod = Pod();
        pod.Spec.ImagePullSecrets = [new() { Name = "own" }, new() { Name = "gone" }, new() { Name = "broken" }];

        var assignment = await ResolveAsync(pod);

        Assert.Equal([new RegistryCredential("r.example", "me", "pw"), new RegistryCredential("old.example", "u", "p")], assignment.Credentials);
        var problem = Assert.Single(_recorded.All);
        Assert.Contains("FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (Secret ns/gone not found; Secret ns/broken: not a Docker", problem, StringComparison.Ordinal);
        _objects.Put(Secret("old", (".dockercfg", "{}")));
        Assert.Equal([_key], _changed);
    }

    [Fact]
    public async Task Volumes_TooLargeForAMessage_AreRefusedByName()
    {
        var large = new ConfigMap { Metadata = Meta("large"), BinaryData = new() { ["a"] = new byte[1 << 20] } };
        _objects.Put(large);
        var pod = Pod(volumes: [.. Enumerable.Range(0, 64).Select(i => new Volume { Name = $"v{i}", ConfigMap = new() { Name = "large" } })]);

        var error = await Assert.ThrowsAsync<PodResolutionException>(() => ResolveAsync(pod));

        Assert.Equal(("TooLarge", "the pod's volumes and environments have 64 MiB; a cell takes 64 MiB in all"), (error.Reason, error.Message));
    }

    private static ObjectMeta Meta(string name, string @namespace = "ns") => new() { Name = name, Namespace = @namespace };

    private static ConfigMap ConfigMap(string name, params (string Key, string Value)[] data) =>
        new() { Metadata = Meta(name), Data = data.ToDictionary(each => each.Key, each => each.Value) };

    private static Secret Secret(string name, params (string Key, string Value)[] data) =>
        new() { Metadata = Meta(name), Data = data.ToDictionary(each => each.Key, each => Encoding.UTF8.GetBytes(each.Value)) };

    private static Service Service(string @namespace, string name, string address, params ServicePort[] ports) =>
        new() { Metadata = Meta(name, @namespace), Spec = new() { ClusterIP = address, Ports = [.. ports] } };

    private static Pod Pod(string name = "pod", List<EnvVar>? env = null, List<Volume>? volumes = null) => new()
    {
        Metadata = new() { Name = name, Namespace = "ns", Uid = "uid-1" },
        Spec = new() { Containers = [new() { Name = "main", Env = env }], Volumes = volumes },
    };

    /// <summary>What the API server's admission adds to a pod.</summary>
    private static Volume KubeApiAccess() => new()
    {
        Name = "kube-api-access",
        Projected = new()
        {
            DefaultMode = 420,
            Sources =
            [
                new() { ServiceAccountToken = new() { Path = "token", ExpirationSeconds = 3607 } },
                new() { ConfigMap = new() { Name = "kube-root-ca.crt", Items = [new() { Key = "ca.crt", Path = "ca.crt" }] } },
                new() { DownwardAPI = new() { Items = [new() { Path = "namespace", FieldRef = new() { FieldPath = "metadata.namespace" } }] } },
            ],
        },
    };

    private static IEnumerable<string> Files(PodAssignment assignment) =>
        from volume in assignment.Volumes
        from file in volume.Files
        select $"{volume.Name}/{file.Path} {Convert.ToString(file.Mode, 8)} {file.Data.Length}:{Encoding.UTF8.GetString(file.Data.Span)}";

    private Task<PodAssignment> ResolveAsync(Pod pod) => _resolver.ResolveAsync(pod, CancellationToken.None);

    private async Task<IEnumerable<string>> EnvironmentAsync(Pod pod) =>
        ContainerExpansion.Expand((await ResolveAsync(pod)).Pod.Spec.Containers[0]).Env.Select(each => $"{each.Key}={each.Value}");
}
