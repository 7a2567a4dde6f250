using System.Net;
using System.Text.Json.Nodes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Leases;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Kubernetes.Tests.Client;

/// <summary>Every call against a real API server, and what it does when that is restarted.</summary>
public sealed class ApiServerTests(ApiServerTests.Server server) : IClassFixture<ApiServerTests.Server>, IAsyncLifetime
{
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromMinutes(5));
    private readonly string _namespace = $"t-{Guid.NewGuid():N}";
    private KubernetesClient _client = null!;

    private CancellationToken Limit => _patience.Token;

    public async Task InitializeAsync()
    {
        // Without a control plane all tests here are skipped.
        if (ControlPlane.Missing() is null)
        {
            _client = await server.ConnectAsync(Limit);
            await _client.CreateAsync(Resources.Namespaces, new() { Metadata = { Name = _namespace } }, Limit);
            await _client.CreateAsync(Resources.ServiceAccounts, new() { Metadata = { Namespace = _namespace, Name = "default" } }, Limit);
        }
    }

    public Task DisposeAsync()
    {
        _client?.Dispose();
        _patience.Dispose();
        return Task.CompletedTask;
    }

    [ControlPlaneFact]
    public async Task Pod_CreatedReadReplacedPatchedDeleted_IsWhatTheApiServerHas()
    {
        var created = await _client.CreateAsync(Resources.Pods, Pod("p"), Limit);
        Assert.NotEmpty(created.Metadata.Uid!);
        var exists = await Assert.ThrowsAsync<KubernetesApiException>(() => _client.CreateAsync(Resources.Pods, Pod("p"), Limit));
        Assert.True(exists.IsAlreadyExists);

        var read = await _client.GetAsync(Resources.Pods, Key("p"), Limit);
        Assert.Equal(("v1", "Pod", "ClusterFirst"), (read.ApiVersion, read.Kind, read.Spec.DnsPolicy));

        read.Metadata.Labels = new() { ["a"] = "1" };
        var replaced = await _client.ReplaceAsync(Resources.Pods, read, null, Limit);
        Assert.True((await Assert.ThrowsAsync<KubernetesApiException>(() => _client.ReplaceAsync(Resources.Pods, read, null, Limit))).IsConflict);
        Assert.NotEqual(read.Metadata.ResourceVersion, replaced.Metadata.ResourceVersion);

        await _client.PatchAsync(Resources.Pods, Key("p"), Patch.Merge(Json("""{"metadata":{"labels":{"a":null,"b":"2"}}}""")), null, Limit);
        await _client.PatchAsync(
            Resources.Pods, Key("p"), Patch.StrategicMerge(Json("""{"spec":{"containers":[{"name":"main","image":"other"}]}}""")), null, Limit);
        await _client.PatchAsync(
            Resources.Pods, Key("p"), Patch.Json(JsonNode.Parse("""[{"op":"add","path":"/metadata/labels/c","value":"3"}]""")!.AsArray()), null, Limit);
        var patched = await _client.GetAsync(Resources.Pods, Key("p"), Limit);
        Assert.Equal(["b", "c"], patched.Metadata.Labels!.Keys.Order());
        Assert.Equal(["other"], patched.Spec.Containers.Select(container => container.Image));

        await _client.PatchAsync(
            Resources.Pods,
            Key("p"),
            Patch.StrategicMerge(Json("""{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"podIP":"10.1.2.3"}}""")),
            "status",
            Limit);
        var told = await _client.GetAsync(Resources.Pods, Key("p"), Limit);
        Assert.Equal((PodPhase.Running, "10.1.2.3"), (told.Status!.Phase, told.Status.PodIP));

        var other = await Assert.ThrowsAsync<KubernetesApiException>(
            () => _client.DeleteAsync(Resources.Pods, Key("p"), new() { Uid = "another", GracePeriod = TimeSpan.Zero }, Limit));
        Assert.True(other.IsConflict);
        await _client.DeleteAsync(Resources.Pods, Key("p"), new() { Uid = created.Metadata.Uid, GracePeriod = TimeSpan.Zero }, Limit);
        var gone = await Assert.ThrowsAsync<KubernetesApiException>(() => _client.GetAsync(Resources.Pods, Key("p"), Limit));
        Assert.True(gone.IsNotFound);
        Assert.Equal("NotFound", gone.Reason);
    }

    [ControlPlaneFact]
    public async Task Pod_NotValid_IsRefusedWithTheField()
    {
        var e = await Assert.ThrowsAsync<KubernetesApiException>(
            () => _client.CreateAsync(Resources.Pods, new() { Metadata = { Namespace = _namespace, Name = "p" } }, Limit));
        Assert.True(e.IsInvalid);
        Assert.Contains(e.Status!.Details!.Causes!, cause => cause.Field == "spec.containers");
    }

    [ControlPlaneFact]
    public async Task Pod_DeletedWithGrace_StaysUntilItIsDeletedForGood()
    {
        var pod = Pod("p");
        pod.Spec.NodeName = "nowhere";
        await _client.CreateAsync(Resources.Pods, pod, Limit);
        await _client.DeleteAsync(Resources.Pods, Key("p"), new() { GracePeriod = TimeSpan.FromSeconds(77) }, Limit);
        var ending = await _client.GetAsync(Resources.Pods, Key("p"), Limit);
        Assert.Equal(77, ending.Metadata.DeletionGracePeriodSeconds);
        Assert.NotNull(ending.Metadata.DeletionTimestamp);
        await _client.DeleteAsync(Resources.Pods, Key("p"), new() { GracePeriod = TimeSpan.Zero }, Limit);
        Assert.True((await Assert.ThrowsAsync<KubernetesApiException>(() => _client.GetAsync(Resources.Pods, Key("p"), Limit))).IsNotFound);
    }

    [ControlPlaneFact]
    public async Task List_ByPagesLabelsAndFields_FindsAll()
    {
        for (var i = 0; i < 7; i++)
        {
            await _client.CreateAsync(Resources.ConfigMaps, ConfigMap($"m{i}", i % 2 == 0 ? "even" : "odd"), Limit);
        }

        var all = await _client.ListAsync(Resources.ConfigMaps, _namespace, new() { PageSize = 2 }, Limit);
        Assert.Equal(Enumerable.Range(0, 7).Select(i => $"m{i}"), Names(all.Items).Where(name => name[0] == 'm'));
        Assert.NotEmpty(all.Metadata.ResourceVersion!);
        Assert.Equal(["m1", "m3", "m5"], Names((await _client.ListAsync(Resources.ConfigMaps, "", new() { LabelSelector = $"in={_namespace},kind=odd" }, Limit)).Items));
        Assert.Equal(["m4"], Names((await _client.ListAsync(Resources.ConfigMaps, _namespace, new() { FieldSelector = "metadata.name=m4" }, Limit)).Items));
    }

    [ControlPlaneFact]
    public async Task Watch_FromAVersion_TellsWhatFollowsUntilItsTimeIsOver()
    {
        var version = (await _client.ListAsync(Resources.ConfigMaps, _namespace, null, Limit)).Metadata.ResourceVersion;
        var map = await _client.CreateAsync(Resources.ConfigMaps, ConfigMap("m", "x"), Limit);
        map.Data = new() { ["k"] = "v" };
        await _client.ReplaceAsync(Resources.ConfigMaps, map, null, Limit);
        await _client.DeleteAsync(Resources.ConfigMaps, Key("m"), null, Limit);
        var told = new List<WatchEventType>();
        var options = new WatchOptions { ResourceVersion = version, FieldSelector = "metadata.name=m", Timeout = TimeSpan.FromSeconds(2) };
        await foreach (var change in _client.WatchAsync(Resources.ConfigMaps, _namespace, options, Limit))
        {
            if (change.Type != WatchEventType.Bookmark)
            {
                Assert.Equal("m", change.Value.Metadata.Name);
                told.Add(change.Type);
            }
        }

        Assert.Equal([WatchEventType.Added, WatchEventType.Modified, WatchEventType.Deleted], told);
    }

    [ControlPlaneFact]
    public async Task Node_WithStatusAndLease_IsWrittenAndRead()
    {
        var name = $"node-{_namespace}";
        await _client.CreateAsync(Resources.Nodes, new() { Metadata = { Name = name }, Spec = { Taints = [new() { Key = "a", Effect = "NoSchedule" }] } }, Limit);
        var node = await _client.GetAsync(Resources.Nodes, new ObjectKey(name), Limit);
        node.Status = new NodeStatus
        {
            Capacity = new() { ["cpu"] = Quantity.Parse("4"), ["memory"] = Quantity.Parse("1Gi") },
            Conditions = [new() { Type = "Ready", Status = "True", LastHeartbeatTime = node.Metadata.CreationTimestamp }],
            Addresses = [new() { Type = "InternalIP", Address = "10.0.0.9" }],
            DaemonEndpoints = new() { KubeletEndpoint = new() { Port = 10250 } },
            NodeInfo = new() { KubeletVersion = "v1.20.2", OperatingSystem = "linux", Architecture = "amd64" },
        };
        await _client.ReplaceAsync(Resources.Nodes, node, "status", Limit);
        node = await _client.GetAsync(Resources.Nodes, new ObjectKey(name), Limit);
        Assert.Equal((10250, "v1.20.2"), (node.Status!.DaemonEndpoints!.KubeletEndpoint!.Port, node.Status.NodeInfo!.KubeletVersion));
        Assert.Equal("10.0.0.9", node.Status.Addresses!.Single().Address);
        await _client.DeleteAsync(Resources.Nodes, new ObjectKey(name), null, Limit);

        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddTicks(6_789_000);
        await _client.CreateAsync(
            Resources.Leases, new() { Metadata = { Namespace = _namespace, Name = "l" }, Spec = { HolderIdentity = "x", RenewTime = now, LeaseDurationSeconds = 40 } }, Limit);
        Assert.Equal(now, (await _client.GetAsync(Resources.Leases, Key("l"), Limit)).Spec.RenewTime);
    }

    [ControlPlaneFact]
    public async Task SecretServiceEndpoints_WrittenAndRead_AreTheSame()
    {
        await _client.CreateAsync(Resources.Secrets, new() { Metadata = { Namespace = _namespace, Name = "s" }, Data = new() { ["k"] = [0, 255] } }, Limit);
        var secret = await _client.GetAsync(Resources.Secrets, Key("s"), Limit);
        Assert.Equal((SecretType.Opaque, 255), (secret.Type, secret.Data!["k"][1]));
        var service = await _client.CreateAsync(
            Resources.Services, new() { Metadata = { Namespace = _namespace, Name = "web" }, Spec = { Ports = [new() { Port = 80, TargetPort = 8080 }] } }, Limit);
        Assert.True(IPAddress.TryParse(service.Spec.ClusterIP, out _));
        await _client.CreateAsync(
            Resources.Endpoints,
            new()
            {
                Metadata = { Namespace = _namespace, Name = "web" },
                Subsets = [new() { Addresses = [new() { Ip = "10.1.1.1" }], Ports = [new() { Port = 8080 }] }],
            },
            Limit);
        Assert.Equal("10.1.1.1", (await _client.GetAsync(Resources.Endpoints, Key("web"), Limit)).Subsets![0].Addresses![0].Ip);
    }

    [ControlPlaneFact]
    public async Task Token_Requested_IsReviewedAndMayDoWhatItMay()
    {
        var token = await _client.CreateSubresourceAsync(
            Resources.ServiceAccounts, Key("default"), Resources.Token, new() { Spec = { ExpirationSeconds = 3600 } }, Limit);
        Assert.NotNull(token.Status!.ExpirationTimestamp);

        var review = await _client.CreateAsync(Resources.TokenReviews, new() { Spec = { Token = token.Status.Token } }, Limit);
        Assert.True(review.Status!.Authenticated);
        Assert.Equal($"system:serviceaccount:{_namespace}:default", review.Status.User!.Username);
        Assert.NotEqual(true, (await _client.CreateAsync(Resources.TokenReviews, new() { Spec = { Token = "nonsense" } }, Limit)).Status!.Authenticated);

        var access = await _client.CreateAsync(
            Resources.SubjectAccessReviews,
            new()
            {
                Spec =
                {
                    User = review.Status.User.Username,
                    Groups = review.Status.User.Groups,
                    ResourceAttributes = new() { Verb = "get", Resource = "nodes", Subresource = "proxy" },
                },
            },
            Limit);
        Assert.False(access.Status!.Allowed);
        using var directory = new TemporaryDirectory();
        var configuration = (await KubernetesConfiguration.LoadAsync(server.Plane!.Kubeconfig, null, TimeProvider.System, Limit)) with
        {
            Credentials = new UserCredentials(null, CredentialFiles.Token(directory.Write("token", token.Status.Token), TimeProvider.System), null, null),
        };
        using var account = new KubernetesClient(configuration, null, TimeProvider.System);
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => account.ListAsync(Resources.Pods, _namespace, null, Limit));
        Assert.Equal(HttpStatusCode.Forbidden, e.StatusCode);
        Assert.Contains($"system:serviceaccount:{_namespace}:default", e.Message, StringComparison.Ordinal);
    }

    [ControlPlaneFact]
    public async Task EventsAndLeaderElection_WithTheRealServer_Work()
    {
        var recorder = new EventRecorder(
            _client, new() { Component = "kip", Host = "x" }, TimeProvider.System, new Random(1), NullLogger<EventRecorder>.Instance);
        var pod = await _client.CreateAsync(Resources.Pods, Pod("p"), Limit);
        recorder.Record(pod.ToReference(), EventType.Warning, "Failed", "once");
        recorder.Record(pod.ToReference(), EventType.Warning, "Failed", "once");
        await recorder.RunAsync(new CancellationToken(canceled: true));
        var written = Assert.Single((await _client.ListAsync(
            Resources.Events, _namespace, new() { FieldSelector = $"involvedObject.uid={pod.Metadata.Uid},reason=Failed" }, Limit)).Items);
        Assert.Equal((2, "once"), (written.Count, written.Message));

        var elector = new LeaderElector(
            _client, new() { Lease = Key("leader"), Identity = "me" }, TimeProvider.System, new Random(1), NullLogger<LeaderElector>.Instance);
        await elector.RunAsync(
            async token => Assert.Equal("me", (await _client.GetAsync(Resources.Leases, Key("leader"), token)).Spec.HolderIdentity), Limit);
        Assert.Equal("", (await _client.GetAsync(Resources.Leases, Key("leader"), Limit)).Spec.HolderIdentity ?? "");
    }

    [ControlPlaneFact]
    public async Task Informer_ApiServerKilledAndBack_KnowsTheTruth()
    {
        await using var plane = await ControlPlane.StartAsync([ControlPlane.Scheduler, ControlPlane.ControllerManager]);
        using var client = await ConnectAsync(plane, Limit);
        var options = new InformerOptions<ConfigMap> { Namespace = "default", FieldSelector = "metadata.name!=kube-root-ca.crt" };
        var informer = new Informer<ConfigMap>(client, Resources.ConfigMaps, options, TimeProvider.System, new Random(1), NullLogger.Instance);
        var deleted = 0;
        informer.Subscribe(change => deleted += change.New is null ? 1 : 0);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Limit);
        var run = informer.RunAsync(stop.Token);
        await client.CreateAsync(Resources.ConfigMaps, Map("stays"), Limit);
        await client.CreateAsync(Resources.ConfigMaps, Map("goes"), Limit);
        await KnowsAsync("goes", "stays");

        await plane.KillAsync(ControlPlane.ApiServer);
        Assert.Equal(["goes", "stays"], Names(informer.List()));
        await plane.StartAsync(ControlPlane.ApiServer);
        await RetryAsync(() => client.DeleteAsync(Resources.ConfigMaps, new ObjectKey("default", "goes"), null, Limit));
        await RetryAsync(() => client.CreateAsync(Resources.ConfigMaps, Map("comes"), Limit));
        await KnowsAsync("comes", "stays");
        Assert.Equal(1, Volatile.Read(ref deleted));
        await stop.CancelAsync();
        await run;

        static ConfigMap Map(string name) => new() { Metadata = { Namespace = "default", Name = name } };

        async Task KnowsAsync(params string[] names)
        {
            while (!Names(informer.List()).SequenceEqual(names))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Limit);
            }
        }
    }

    private static async Task<KubernetesClient> ConnectAsync(ControlPlane plane, CancellationToken cancellationToken) => new(
        await KubernetesConfiguration.LoadAsync(plane.Kubeconfig, null, TimeProvider.System, cancellationToken), null, TimeProvider.System);

    private static IEnumerable<string> Names<T>(IEnumerable<T> items)
        where T : IKubernetesObject => items.Select(item => item.Metadata.Name!).Order(StringComparer.Ordinal);

    private static JsonObject Json(string text) => JsonNode.Parse(text)!.AsObject();

    private ObjectKey Key(string name) => new(_namespace, name);

    private Pod Pod(string name) => new()
    {
        Metadata = { Namespace = _namespace, Name = name },
        Spec = { Containers = [new() { Name = "main", Image = "none" }] },
    };

    private ConfigMap ConfigMap(string name, string kind) =>
        new() { Metadata = { Namespace = _namespace, Name = name, Labels = new() { ["in"] = _namespace, ["kind"] = kind } } };

    /// <summary>The calls of a test, unlike the informer's, are not repeated by themselves when the server has just come back.</summary>
    private async Task RetryAsync(Func<Task> call)
    {
        while (true)
        {
            try
            {
                await call();
                return;
            }
            catch (KubernetesApiException e) when (e.IsTransient || e.StatusCode == HttpStatusCode.Forbidden)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Limit);
            }
        }
    }

    /// <summary>An API server without controllers, for all tests here.</summary>
    public sealed class Server : IAsyncLifetime
    {
        internal ControlPlane? Plane { get; private set; }

        public async Task InitializeAsync() => Plane = ControlPlane.Missing() is null
            ? await ControlPlane.StartAsync([ControlPlane.Scheduler, ControlPlane.ControllerManager])
            : null;

        public async Task DisposeAsync()
        {
            if (Plane is not null)
            {
                await Plane.DisposeAsync();
            }
        }

        internal Task<KubernetesClient> ConnectAsync(CancellationToken cancellationToken) => ApiServerTests.ConnectAsync(Plane!, cancellationToken);
    }
}
