using System.Net;
using System.Net.Sockets;
using Kip.Agent.Probes;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.Tests.Support;
using Kip.Grpc;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Probes;

public sealed class ContainerActionsTests(ProbedServer server) : IClassFixture<ProbedServer>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly ContainerActions _actions = new(new ScriptedRuntime(TimeProvider.System), TimeProvider.System);
    private readonly List<Socket> _bound = [];

    public void Dispose() => _bound.ForEach(socket => socket.Dispose());

    [Theory]
    [InlineData(200, "Success", "")]
    [InlineData(204, "Success", "")]
    [InlineData(304, "Warning", "Probe terminated redirects, Response body: ")]
    [InlineData(400, "Failure", "HTTP probe failed with statuscode: 400")]
    [InlineData(503, "Failure", "HTTP probe failed with statuscode: 503")]
    public async Task HttpGet_Status_IsJudged(int status, string result, string output)
    {
        var outcome = await GetAsync($"/status/{status}");

        Assert.Equal((result, output), ($"{outcome.Result}", outcome.Output));
    }

    [Theory]
    [InlineData("/here", "Success")]
    [InlineData("/there", "Warning")]
    [InlineData("/round", "Failure")]
    public async Task HttpGet_Redirected_FollowsOnTheSameHostOnly(string path, string result) =>
        Assert.Equal(result, $"{(await GetAsync(path)).Result}");

    [Fact]
    public async Task HttpGet_WithoutHeaders_SaysThatItIsAProbe()
    {
        var lines = (await GetAsync("/headers")).Output.Split('\n');

        Assert.Contains($"Host: 127.0.0.1:{server.HttpPort}", lines);
        Assert.Contains("Accept: */*", lines);
        Assert.Contains("Connection: close", lines);
        Assert.Contains(lines, line => line.StartsWith("User-Agent: kube-probe/", StringComparison.Ordinal));
    }

    [Fact]
    [PodField("spec.containers[].livenessProbe.httpGet.httpHeaders")]
    public async Task HttpGet_WithHeaders_SendsThemInsteadOfItsOwn()
    {
        var outcome = await GetAsync(
            "/headers",
            new HttpHeader { Name = "host", Value = "example.test" },
            new HttpHeader { Name = "User-Agent", Value = "mine" },
            new HttpHeader { Name = "Accept", Value = "" },
            new HttpHeader { Name = "X-Custom", Value = "a" },
            new HttpHeader { Name = "X-Custom", Value = "b" });

        var lines = outcome.Output.Split('\n');
        Assert.Contains("Host: example.test", lines);
        Assert.Contains("User-Agent: mine", lines);
        Assert.Contains(lines, line => line.StartsWith("X-Custom: a", StringComparison.Ordinal) && line.EndsWith('b'));
        Assert.DoesNotContain(lines, line => line.StartsWith("Accept:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task HttpGet_LargeBody_IsReadToTheLimitOnly()
    {
        var outcome = await GetAsync("/large");

        Assert.Equal((ActionResult.Success, ActionOutcome.MaximumOutput), (outcome.Result, outcome.Output.Length));
    }

    [Fact]
    [PodField("spec.containers[].livenessProbe.timeoutSeconds")]
    public async Task HttpGet_ServerThatDoesNotAnswer_FailsInTime()
    {
        var action = new HttpGetAction { Path = "/never", Port = server.HttpPort };

        var outcome = await _actions.HttpGetAsync(action, Target(), "test", TimeSpan.FromMilliseconds(100), CancellationToken.None);

        Assert.Equal(ActionResult.Failure, outcome.Result);
        Assert.StartsWith($"Get \"http://127.0.0.1:{server.HttpPort}/never\": context deadline exceeded", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    [PodField("spec.containers[].livenessProbe.httpGet.scheme")]
    public async Task HttpGet_ByHttps_DoesNotCheckTheCertificate()
    {
        var action = new HttpGetAction { Path = "/status/200", Port = server.HttpsPort, Scheme = "HTTPS" };

        var outcome = await _actions.HttpGetAsync(action, Target(), "test", Patience, CancellationToken.None);

        Assert.Equal(ActionOutcome.Success(), outcome);
    }

    [Fact]
    [PodField("spec.containers[].livenessProbe.httpGet.host")]
    public async Task HttpGet_WithAHost_AsksThereAndNotThePod()
    {
        var action = new HttpGetAction { Path = "/status/200", Port = server.HttpPort, Host = "127.0.0.1" };
        var elsewhere = Target() with { PodAddress = "192.0.2.1" };

        Assert.Equal(ActionOutcome.Success(), await _actions.HttpGetAsync(action, elsewhere, "test", Patience, CancellationToken.None));
    }

    [Fact]
    public async Task HttpGet_WhereNobodyListens_Fails()
    {
        var port = UnusedPort();
        var action = new HttpGetAction { Path = "/x?y=z", Port = port };

        var outcome = await _actions.HttpGetAsync(action, Target(), "test", Patience, CancellationToken.None);

        Assert.Equal(
            ActionOutcome.Failure($"Get \"http://127.0.0.1:{port}/x?y=z\": dial tcp 127.0.0.1:{port}: connect: connection refused"), outcome);
    }

    [Fact]
    [PodField("spec.containers[].livenessProbe.httpGet.port", "spec.containers[].ports")]
    public async Task HttpGet_PortByName_IsFoundAmongTheContainers()
    {
        var target = Target(new ContainerPort { Name = "web", Port = server.HttpPort });
        var action = new HttpGetAction { Path = "status/200", Port = "web" };

        var known = await _actions.HttpGetAsync(action, target, "test", Patience, CancellationToken.None);
        action.Port = "other";
        var unknown = await _actions.HttpGetAsync(action, target, "test", Patience, CancellationToken.None);

        Assert.Equal(ActionOutcome.Success(), known);
        Assert.Equal(ActionOutcome.Unknown("couldn't find port: other"), unknown);
    }

    [Fact]
    public async Task HttpGet_Cancelled_Throws()
    {
        using var stop = new CancellationTokenSource();
        var action = new HttpGetAction { Path = "/never", Port = server.HttpPort };

        var request = _actions.HttpGetAsync(action, Target(), "test", Patience, stop.Token);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
    }

    [Fact]
    public async Task TcpConnect_WhereSomebodyListens_Succeeds() => Assert.Equal(
        ActionOutcome.Success(),
        await _actions.TcpConnectAsync(
            new TcpSocketAction { Port = server.HttpPort, Host = "localhost" }, Target(), Patience, CancellationToken.None));

    [Fact]
    public async Task TcpConnect_WhereNobodyListens_Fails()
    {
        var port = UnusedPort();

        var outcome = await _actions.TcpConnectAsync(new TcpSocketAction { Port = port }, Target(), Patience, CancellationToken.None);

        Assert.Equal(ActionOutcome.Failure($"dial tcp 127.0.0.1:{port}: connect: connection refused"), outcome);
    }

    [Theory]
    [InlineData(null, "Success", "")]
    [InlineData("good", "Success", "")]
    [InlineData("bad", "Failure", "service unhealthy (responded with \"NOT_SERVING\")")]
    [InlineData("other", "Failure", "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service")]
    [PodField("spec.containers[].livenessProbe.grpc.service")]
    public async Task GrpcHealth_OfAService_IsWhatTheServerSays(string? service, string result, string output)
    {
        var action = new GrpcAction { Port = server.GrpcPort, Service = service };

        var outcome = await _actions.GrpcHealthAsync(action, Target(), Patience, CancellationToken.None);

        Assert.Equal((result, output), ($"{outcome.Result}", outcome.Output));
    }

    [Fact]
    public async Task GrpcHealth_WhereNobodyListens_Fails()
    {
        var port = UnusedPort();

        var outcome = await _actions.GrpcHealthAsync(new GrpcAction { Port = port }, Target(), Patience, CancellationToken.None);

        Assert.Equal(ActionResult.Failure, outcome.Result);
        Assert.StartsWith($"error: failed to connect service at \"127.0.0.1:{port}\"", outcome.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "Success")]
    [InlineData(1, "Failure")]
    public async Task Exec_Ended_IsJudgedByItsExitCode(int code, string result)
    {
        var outcome = await ExecAsync(() => new ExecSyncResponse
        {
            Stdout = Google.Protobuf.ByteString.CopyFromUtf8("out"), Stderr = Google.Protobuf.ByteString.CopyFromUtf8("err"), ExitCode = code,
        });

        Assert.Equal((result, "outerr"), ($"{outcome.Result}", outcome.Output));
    }

    [Fact]
    public async Task Exec_MuchOutput_IsCutOff()
    {
        var outcome = await ExecAsync(() => new ExecSyncResponse { Stdout = Google.Protobuf.ByteString.CopyFrom(new byte[1 << 20]) });

        Assert.Equal(ActionOutcome.MaximumOutput, outcome.Output.Length);
    }

    [Theory]
    [InlineData(StatusCode.DeadlineExceeded, "Failure", "command timed out: \"check it\" timed out after 60s")]
    [InlineData(StatusCode.Unavailable, "Unknown", "rpc error: code = Unavailable desc = away")]
    public async Task Exec_WithoutAResult_FailsOnlyWhenItTookTooLong(StatusCode code, string result, string output)
    {
        var outcome = await ExecAsync(() => throw new RpcException(code, "away"));

        Assert.Equal((result, output), ($"{outcome.Result}", outcome.Output));
    }

    private static ActionTarget Target(params ContainerPort[] ports) => new("container", "127.0.0.1", ports);

    private static async Task<ActionOutcome> ExecAsync(Func<ExecSyncResponse> answer)
    {
        var runtime = new ScriptedRuntime(TimeProvider.System) { Exec = (_, _) => Task.FromResult(answer()) };
        var sandboxConfig = new PodSandboxConfig { Metadata = new PodSandboxMetadata() };
        var sandbox = await runtime.RunPodSandboxAsync(sandboxConfig, "", CancellationToken.None);
        var config = new ContainerConfig { Metadata = new ContainerMetadata { Name = "main" }, Image = new ImageSpec() };
        var id = await runtime.CreateContainerAsync(sandbox, config, sandboxConfig, CancellationToken.None);
        await runtime.StartContainerAsync(id, CancellationToken.None);
        var actions = new ContainerActions(runtime, TimeProvider.System);
        return await actions.ExecAsync(id, ["check", "it"], Patience, CancellationToken.None);
    }

    /// <summary>A port that the system has just given and nobody listens on: bound, so that nobody else gets it.</summary>
    private int UnusedPort()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _bound.Add(socket);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private Task<ActionOutcome> GetAsync(string path, params HttpHeader[] headers) => _actions.HttpGetAsync(
        new HttpGetAction { Path = path, Port = server.HttpPort, HttpHeaders = [.. headers] },
        Target(), ContainerActions.ProbeUserAgent, Patience, CancellationToken.None);
}
