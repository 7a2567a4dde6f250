using System.Net;
using System.Net.Sockets;
using System.Text;
using Kip.Agent.Hooks;
using Kip.Agent.Probes;
using Kip.Agent.Tests.Support;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Hooks;

public sealed class HookRunnerTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK")]
    [InlineData("HTTP/1.1 500 Oops")]
    [PodField("spec.containers[].lifecycle.postStart.httpGet", "spec.containers[].lifecycle.preStop.httpGet")]
    public async Task HttpGet_ThatIsAnsweredInAnyWay_HasDoneItsPart(string answer)
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var serving = ServeAsync(server, answer);

        var problem = await RunAsync(Get(((IPEndPoint)server.LocalEndpoint).Port));

        Assert.Null(problem);
        var request = await serving.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        Assert.StartsWith("GET /hook HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("User-Agent: kube-lifecycle/", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HttpGet_ThatNobodyAnswers_Fails()
    {
        // Bound and not listening: nobody else gets the port, and it refuses connections.
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        Assert.Contains("connection refused", await RunAsync(Get(((IPEndPoint)socket.LocalEndPoint!).Port)), StringComparison.Ordinal);
    }

    [Fact]
    [PodField("spec.containers[].lifecycle.postStart.tcpSocket", "spec.containers[].lifecycle.preStop.tcpSocket")]
    public async Task TcpSocket_WhichTheKubeletNeverCarriesOut_Fails() =>
        Assert.Equal("invalid handler", await RunAsync(new LifecycleHandler { TcpSocket = new TcpSocketAction { Port = 1 } }));

    private static LifecycleHandler Get(int port) => new() { HttpGet = new HttpGetAction { Path = "/hook", Port = port } };

    private static async Task<string?> RunAsync(LifecycleHandler handler)
    {
        var actions = new ContainerActions(new ScriptedRuntime(TimeProvider.System), TimeProvider.System);
        return await new HookRunner(actions, TimeProvider.System).RunAsync(
            handler, new ActionTarget("id", "127.0.0.1", []), TimeSpan.FromSeconds(60), CancellationToken.None);
    }

    private static async Task<string> ServeAsync(TcpListener server, string answer)
    {
        using var client = await server.AcceptTcpClientAsync();
        await using var stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        var request = new StringBuilder();
        while (await reader.ReadLineAsync() is { Length: > 0 } line)
        {
            request.Append(line).Append("\r\n");
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        return request.ToString();
    }
}
