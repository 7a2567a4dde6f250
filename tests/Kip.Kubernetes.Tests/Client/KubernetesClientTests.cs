using System.Net;
using System.Text.Json.Nodes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;
using Microsoft.AspNetCore.Http;

namespace Kip.Kubernetes.Tests.Client;

public sealed class KubernetesClientTests : IAsyncLifetime
{
    private const string PodJson = """{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","resourceVersion":"7"},"new":1}""";

    private static readonly ObjectKey Key = new("n", "p");

    private readonly CancellationTokenSource _patience = new(TimeSpan.FromMinutes(2));
    private FakeApiServer _server = null!;

    private CancellationToken Limit => _patience.Token;

    public async Task InitializeAsync() => _server = await FakeApiServer.StartAsync();

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        _patience.Dispose();
    }

    [Fact]
    public async Task Get_Pod_IsReadWithItsUnknownFields()
    {
        using var client = _server.ThenJson(PodJson).CreateClient(new() { UserAgent = "tester/1" });
        var pod = await client.GetAsync(Resources.Pods, Key, Limit);
        Assert.Equal("7", pod.Metadata.ResourceVersion);
        Assert.True(pod.Unknown!.ContainsKey("new"));
        var request = Assert.Single(_server.Requests);
        Assert.Equal(("GET", "/api/v1/namespaces/n/pods/p", "tester/1"), (request.Method, request.PathAndQuery, request.Headers["User-Agent"]));
    }

    [Theory]
    [InlineData(404, "NotFound", nameof(KubernetesApiException.IsNotFound))]
    [InlineData(409, "Conflict", nameof(KubernetesApiException.IsConflict))]
    [InlineData(409, "AlreadyExists", nameof(KubernetesApiException.IsAlreadyExists))]
    [InlineData(410, "Expired", nameof(KubernetesApiException.IsGone))]
    [InlineData(422, "Invalid", nameof(KubernetesApiException.IsInvalid))]
    public async Task Call_Refused_TheExceptionSaysHow(int code, string reason, string property)
    {
        using var client = _server.ThenStatus(code, reason, "no such luck").CreateClient();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.PatchAsync(Resources.Pods, Key, Patch.Merge([]), null, Limit));
        Assert.Equal($"PATCH /api/v1/namespaces/n/pods/p: {code} {reason}: no such luck", e.Message);
        Assert.Equal((code, reason), ((int)e.StatusCode!, e.Reason));
        string[] all =
        [
            nameof(e.IsNotFound), nameof(e.IsConflict), nameof(e.IsAlreadyExists), nameof(e.IsGone), nameof(e.IsInvalid), nameof(e.IsTransient),
        ];
        Assert.Equal([property], all.Where(name => (bool)typeof(KubernetesApiException).GetProperty(name)!.GetValue(e)!));
    }

    [Theory]
    [InlineData("<html>teapot</html>", "<html>teapot</html>")]
    [InlineData("", "the API server says no more")]
    [InlineData(PodJson, PodJson)]
    public async Task Call_RefusedByAProxy_ItsWordsAreShown(string body, string shown)
    {
        using var client = _server.ThenJson(body, 403).CreateClient();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Equal($"GET /api/v1/namespaces/n/pods/p: 403: {shown}", e.Message);
        Assert.Null(e.Reason);
    }

    [Fact]
    public async Task Write_PutOff_IsRepeated()
    {
        _server.ThenStatus(429, "TooManyRequests", headers: ("Retry-After", "0")).ThenStatus(503, "Unavailable", headers: ("Retry-After", "0"));
        using var client = _server.ThenJson(PodJson).CreateClient();
        await client.CreateAsync(Resources.Pods, new Pod { Metadata = { Name = "p", Namespace = "n" } }, Limit);
        Assert.Equal(3, _server.Requests.Count);
        Assert.All(_server.Requests, request => Assert.Equal(
            """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n"},"spec":{"containers":[]}}""", request.Body));
    }

    [Fact]
    public async Task Write_FailedWithUnknownEffect_IsNotRepeated()
    {
        using var client = _server.ThenStatus(500, "InternalError").CreateClient();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.PatchAsync(Resources.Pods, Key, Patch.Merge([]), null, Limit));
        Assert.True(e.IsTransient);
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task Write_ConnectionCut_IsNotRepeatedAndSaysSo()
    {
        using var client = _server.ThenCut().CreateClient();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.PatchAsync(Resources.Pods, Key, Patch.Merge([]), null, Limit));
        Assert.Null(e.StatusCode);
        Assert.True(e.IsTransient);
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task Read_FailedOrCut_IsRepeated()
    {
        _server.ThenStatus(500, "InternalError").ThenCut().ThenStatus(503, "Unavailable").ThenStatus(429, "TooManyRequests");
        using var client = _server.ThenJson(PodJson).CreateClient();
        await client.GetAsync(Resources.Pods, Key, Limit);
        Assert.Equal(5, _server.Requests.Count);
    }

    [Fact]
    public async Task Read_AlwaysFailing_EndsWithTheLastFailure()
    {
        _server.ThenStatus(500, "InternalError").ThenStatus(503, "Unavailable");
        using var client = _server.CreateClient(new() { Retries = 1 });
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, e.StatusCode);
    }

    [Fact]
    public async Task Call_PutOffForLongerThanItsTime_FailsAtOnce()
    {
        using var client = _server.ThenStatus(429, "TooManyRequests", headers: ("Retry-After", "3600")).CreateClient();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Equal(TimeSpan.FromHours(1), e.RetryAfter);
    }

    [Fact]
    public async Task Call_NoAnswer_FailsAfterItsTime()
    {
        using var client = _server.ThenNothing().CreateClient(new() { RequestTimeout = TimeSpan.FromMilliseconds(300) });
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Equal("GET /api/v1/namespaces/n/pods/p: no answer in time", e.Message);
        Assert.True(e.IsTransient);
    }

    [Fact]
    public async Task Call_NobodyListens_SaysSo()
    {
        var server = await FakeApiServer.StartAsync();
        await server.DisposeAsync();
        using var client = server.CreateClient(new() { Retries = 1 });
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Contains("refused", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_Cancelled_IsCancelled()
    {
        using var cancelled = new CancellationTokenSource();
        using var client = _server.Then(async context =>
        {
            await cancelled.CancelAsync();
            context.Abort();
        }).CreateClient();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetAsync(Resources.Pods, Key, cancelled.Token));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"metadata\":{\"name\":5}}")]
    [InlineData("{\"metadata\":")]
    public async Task Call_AnswerIsNoPod_SaysSo(string body)
    {
        using var client = _server.ThenJson(body).CreateClient();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Contains("cannot be understood", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_Pages_AreOneList()
    {
        _server.ThenJson("""{"kind":"PodList","metadata":{"resourceVersion":"9","continue":"a&b"},"items":[{"metadata":{"name":"a"}}]}""");
        using var client = _server.ThenJson("""{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"b"}}]}""").CreateClient();
        var list = await client.ListAsync(
            Resources.Pods, "", new() { FieldSelector = "spec.nodeName=x", LabelSelector = "a in (b,c)", ResourceVersion = "0", PageSize = 1 }, Limit);
        Assert.Equal(["a", "b"], list.Items.Select(pod => pod.Metadata.Name));
        Assert.All(list.Items, pod => Assert.Equal(("v1", "Pod"), (pod.ApiVersion, pod.Kind)));
        Assert.Equal("9", list.Metadata.ResourceVersion);
        Assert.Equal(
            [
                "/api/v1/pods?labelSelector=a in (b,c)&fieldSelector=spec.nodeName=x&limit=1&resourceVersion=0",
                "/api/v1/pods?labelSelector=a in (b,c)&fieldSelector=spec.nodeName=x&limit=1&continue=a&b",
            ],
            _server.Requests.Select(request => request.PathAndQuery));
    }

    [Fact]
    public async Task List_OfManyObjectsWithManagedFields_IsReadWholeHoweverItComes()
    {
        var items = string.Join(',', Enumerable.Range(0, 2000).Select(static n =>
            $$$"""{"metadata":{"name":"p{{{n}}}","managedFields":[{"manager":"kubectl","fieldsV1":{"f:metadata":{"f:app{{{n}}}":{} } } }],"uid":"u{{{n}}}"} }"""));
        using var client = _server.ThenJson($$"""{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[{{items}}]}""").CreateClient();
        var list = await client.ListAsync(Resources.Pods, "", null, Limit);
        Assert.Equal(Enumerable.Range(0, 2000).Select(static n => $"u{n}"), list.Items.Select(pod => pod.Metadata.Uid));
    }

    [Fact]
    public async Task List_PagesCompactedAway_IsReadAtOnce()
    {
        _server.ThenJson("""{"kind":"PodList","metadata":{"resourceVersion":"9","continue":"c"},"items":[{"metadata":{"name":"a"}}]}""");
        _server.ThenStatus(410, "Expired");
        using var client = _server.ThenJson("""{"metadata":{"resourceVersion":"20"},"items":[{"metadata":{"name":"b"}}]}""").CreateClient();
        var list = await client.ListAsync(Resources.Pods, "n", null, Limit);
        Assert.Equal(["b"], list.Items.Select(pod => pod.Metadata.Name));
        Assert.Equal("20", list.Metadata.ResourceVersion);
        Assert.Equal("/api/v1/namespaces/n/pods", _server.Requests.Last().PathAndQuery);
    }

    [Fact]
    public async Task Delete_WithOptions_SendsThem()
    {
        using var client = _server.ThenJson(PodJson, 202).CreateClient();
        await client.DeleteAsync(
            Resources.Pods,
            Key,
            new() { GracePeriod = TimeSpan.Zero, Uid = "u", ResourceVersion = "5", Propagation = DeletePropagation.Foreground },
            Limit);
        var sent = JsonNode.Parse(Assert.Single(_server.Requests).Body);
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse(
                """
                {"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,
                 "preconditions":{"uid":"u","resourceVersion":"5"},"propagationPolicy":"Foreground"}
                """),
            sent));
    }

    [Fact]
    public async Task Patch_EachKind_IsSentAsItself()
    {
        using var client = _server.ThenJson(PodJson).ThenJson(PodJson).ThenJson(PodJson).CreateClient();
        var change = new JsonObject { ["status"] = new JsonObject { ["phase"] = "Failed" } };
        await client.PatchAsync(Resources.Pods, Key, Patch.Merge(change), "status", Limit);
        await client.PatchAsync(Resources.Pods, Key, Patch.StrategicMerge(change), null, Limit);
        await client.PatchAsync(Resources.Pods, Key, Patch.Json(new JsonArray()), null, Limit);
        Assert.Equal(
            [
                ("/api/v1/namespaces/n/pods/p/status", "application/merge-patch+json", """{"status":{"phase":"Failed"}}"""),
                ("/api/v1/namespaces/n/pods/p", "application/strategic-merge-patch+json", """{"status":{"phase":"Failed"}}"""),
                ("/api/v1/namespaces/n/pods/p", "application/json-patch+json", "[]"),
            ],
            _server.Requests.Select(request => (request.PathAndQuery, request.Headers["Content-Type"], request.Body)));
    }

    [Fact]
    public async Task Watch_EventsOverSeveralParts_AreReadUntilTheServerEnds()
    {
        using var client = _server.ThenWatch(
            WatchEnd.Ended,
            """{"type":"ADDED","object":{"metadata":{"name":"a","resour""",
            """ceVersion":"1"}}}""" + "\n" + """{"object":{"metadata":{"name":"a","resourceVersion":"2"}},"type":"MODIFIED"}""" + "\n{\"ty",
            """pe":"BOOKMARK","object":{"metadata":{"resourceVersion":"5","creationTimestamp":null}}}""" + "\n").CreateClient();
        var events = await CollectAsync(client, new() { ResourceVersion = "0", Timeout = TimeSpan.FromSeconds(90), FieldSelector = "spec.nodeName=x" });
        Assert.Equal(
            [(WatchEventType.Added, "1"), (WatchEventType.Modified, "2"), (WatchEventType.Bookmark, "5")],
            events.Select(e => (e.Type, e.Value.Metadata.ResourceVersion)));
        Assert.Equal(
            "/api/v1/namespaces/n/pods?watch=true&fieldSelector=spec.nodeName=x&resourceVersion=0&timeoutSeconds=90&allowWatchBookmarks=true",
            _server.Requests.Single().PathAndQuery);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Watch_CutWithinAnEvent_SaysSo(bool abruptly)
    {
        using var client = _server.ThenWatch(
            abruptly ? WatchEnd.Cut : WatchEnd.Ended,
            """{"type":"ADDED","object":{"metadata":{"name":"a"}}}""" + "\n",
            """{"type":"ADDED","object":{"metadata":{"na""").CreateClient();
        await using var events = client.WatchAsync(Resources.Pods, "n", null, Limit).GetAsyncEnumerator(Limit);
        Assert.True(await events.MoveNextAsync());
        _server.CutNow.SetResult();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(async () => await events.MoveNextAsync());
        Assert.Null(e.StatusCode);
        Assert.True(e.IsTransient);
    }

    [Fact]
    public async Task Watch_GoneAsAnEvent_IsGone()
    {
        using var client = _server.ThenWatch(
            WatchEnd.Open,
            """{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version: 1 (9)","reason":"Expired","code":410}}"""
            + "\n").CreateClient();
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => CollectAsync(client, null));
        Assert.True(e.IsGone);
        Assert.Contains("too old resource version", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_GoneAsAnswer_IsGone()
    {
        using var client = _server.ThenStatus(410, "Gone").CreateClient();
        Assert.True((await Assert.ThrowsAsync<KubernetesApiException>(() => CollectAsync(client, null))).IsGone);
    }

    [Fact]
    public async Task Watch_ServerNeverEndsIt_FailsSomeTimeAfterItShouldHave()
    {
        var clock = new Kip.Testing.VirtualClock();
        using var client = _server.ThenWatch(WatchEnd.Open, """{"type":"ADDED","object":{"metadata":{"name":"a"}}}""" + "\n").CreateClient(null, clock);
        await using var events = client.WatchAsync(Resources.Pods, "n", new() { Timeout = TimeSpan.FromMinutes(5) }, Limit).GetAsyncEnumerator(Limit);
        Assert.True(await events.MoveNextAsync());
        var next = events.MoveNextAsync().AsTask();
        clock.Advance(TimeSpan.FromMinutes(5));
        Assert.False(next.IsCompleted);
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.True((await Assert.ThrowsAsync<KubernetesApiException>(() => next)).IsTransient);
    }

    [Fact]
    public async Task Watch_Abandoned_EndsTheCall()
    {
        var ended = new TaskCompletionSource();
        _server.Then(async context =>
        {
            context.RequestAborted.Register(ended.SetResult);
            await context.Response.WriteAsync("""{"type":"ADDED","object":{"metadata":{"name":"a"}}}""" + "\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await ended.Task;
        });
        using var client = _server.CreateClient();
        await foreach (var _ in client.WatchAsync(Resources.Pods, "n", null, Limit))
        {
            break;
        }

        await ended.Task.WaitAsync(Limit);
    }

    [Fact]
    public async Task Token_Refused_IsReadAgainOnce()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.Write("token", "old");
        var credentials = new UserCredentials(null, CredentialFiles.Token(file, TimeProvider.System), null, null);
        using var client = new KubernetesClient(new() { Server = _server.Address, Credentials = credentials }, null, TimeProvider.System);
        _server.ThenJson(PodJson).Then(context =>
        {
            directory.Write("token", "new\n");
            context.Response.StatusCode = 401;
            return Task.CompletedTask;
        }).ThenJson(PodJson).ThenStatus(401, "Unauthorized").ThenStatus(401, "Unauthorized");
        await client.GetAsync(Resources.Pods, Key, Limit);
        await client.GetAsync(Resources.Pods, Key, Limit);
        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Equal(HttpStatusCode.Unauthorized, e.StatusCode);
        Assert.Equal(
            ["Bearer old", "Bearer old", "Bearer new", "Bearer new", "Bearer new"],
            _server.Requests.Select(request => request.Headers["Authorization"]));
    }

    [Fact]
    public async Task Tls_RightAuthority_SpeaksHttp2()
    {
        using var pki = new FakePki();
        await using var server = await FakeApiServer.StartAsync(pki.Server());
        using var client = Client(server, new() { Server = server.Address, CertificateAuthorities = pki.Authorities });
        await client.GetAsync(Resources.Pods, Key, Limit);
        Assert.Equal("HTTP/2", server.Requests.Single().Protocol);
    }

    [Fact]
    public async Task Tls_WrongAuthority_IsRefused()
    {
        using var pki = new FakePki();
        using var other = new FakePki("other");
        await using var server = await FakeApiServer.StartAsync(pki.Server());
        using var client = Client(server, new() { Server = server.Address, CertificateAuthorities = other.Authorities });
        await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Tls_NoAuthorityGiven_TheSystemsCount()
    {
        using var pki = new FakePki();
        await using var server = await FakeApiServer.StartAsync(pki.Server());
        using var client = Client(server, new() { Server = server.Address });
        await Assert.ThrowsAsync<KubernetesApiException>(() => client.GetAsync(Resources.Pods, Key, Limit));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Tls_SkipVerify_TakesAnyCertificate()
    {
        using var pki = new FakePki();
        await using var server = await FakeApiServer.StartAsync(pki.Server("elsewhere"));
        using var client = Client(server, new() { Server = server.Address, SkipTlsVerify = true });
        await client.GetAsync(Resources.Pods, Key, Limit);
    }

    [Theory]
    [InlineData("kubernetes.default", true)]
    [InlineData("other.default", false)]
    [InlineData(null, false)]
    public async Task Tls_ServerName_MustBeTheCertificates(string? name, bool accepted)
    {
        using var pki = new FakePki();
        await using var server = await FakeApiServer.StartAsync(pki.Server("kubernetes.default"));
        using var client = Client(server, new() { Server = server.Address, CertificateAuthorities = pki.Authorities, TlsServerName = name });
        var call = client.GetAsync(Resources.Pods, Key, Limit);
        if (accepted)
        {
            await call;
        }
        else
        {
            await Assert.ThrowsAsync<KubernetesApiException>(() => call);
            Assert.Empty(server.Requests);
        }
    }

    [Fact]
    public async Task Tls_ClientCertificateFilesReplaced_NewConnectionsHaveTheNewOne()
    {
        using var pki = new FakePki();
        using var directory = new TemporaryDirectory();
        await using var server = await FakeApiServer.StartAsync(pki.Server());
        var clock = new Kip.Testing.VirtualClock(TimeProvider.System.GetUtcNow());
        WriteClient("first");
        var files = CredentialFiles.Certificate(directory["crt"], directory["key"], clock);
        var configuration = new KubernetesConfiguration
        {
            Server = server.Address,
            CertificateAuthorityFile = directory.Write("ca", pki.AuthorityPem),
            Credentials = new UserCredentials(null, null, null, files),
        };
        using var client = new KubernetesClient(configuration, null, clock);
        await GetAsync();
        WriteClient("second");
        await GetAsync();
        clock.Advance(TimeSpan.FromMinutes(2));
        await GetAsync();
        Assert.Equal(["CN=first", "CN=first", "CN=second"], server.Requests.Select(request => request.ClientCertificate));

        Task GetAsync()
        {
            server.ThenJson(PodJson);
            return client.GetAsync(Resources.Pods, Key, Limit);
        }

        void WriteClient(string name)
        {
            var (certificate, key) = pki.Client(name);
            directory.Write("crt", certificate);
            directory.Write("key", key);
        }
    }

    [Fact]
    public async Task Impersonation_Headers_AreSent()
    {
        using var client = new KubernetesClient(
            new() { Server = _server.ThenJson(PodJson).Address, Headers = [new("Impersonate-User", "u"), new("Impersonate-Group", "a"), new("Impersonate-Group", "b")] },
            null,
            TimeProvider.System);
        await client.GetAsync(Resources.Pods, Key, Limit);
        var headers = _server.Requests.Single().Headers;
        Assert.Equal(("u", "a,b"), (headers["Impersonate-User"], headers["Impersonate-Group"].Replace(" ", "", StringComparison.Ordinal)));
    }

    private static KubernetesClient Client(FakeApiServer server, KubernetesConfiguration configuration)
    {
        server.ThenJson(PodJson);
        return new KubernetesClient(configuration, new() { Retries = 0 }, TimeProvider.System);
    }

    private async Task<List<WatchEvent<Pod>>> CollectAsync(KubernetesClient client, WatchOptions? options)
    {
        var events = new List<WatchEvent<Pod>>();
        await foreach (var one in client.WatchAsync(Resources.Pods, "n", options, Limit))
        {
            events.Add(one);
        }

        return events;
    }
}
