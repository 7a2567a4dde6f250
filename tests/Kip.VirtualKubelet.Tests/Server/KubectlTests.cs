using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;
using Kip.VirtualKubelet.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests;

/// <summary>kubectl, through a real API server that knows the kubelet API as a node's.</summary>
public sealed partial class KubectlTests(SharedControlPlane shared) : IClassFixture<SharedControlPlane>, IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ProcessPodHost _host = new();
    private readonly string _node = $"node-{Guid.NewGuid():N}";
    private readonly string _pod = $"pod-{Guid.NewGuid():N}";
    private readonly TestCertificates _certificates = new();
    private KubernetesClient? _client;
    private KubeletServer? _server;

    public async Task InitializeAsync()
    {
        if (ControlPlane.Missing() is not null)
        {
            return;
        }

        var plane = shared.Plane;
        var configuration = await KubernetesConfiguration.LoadAsync(plane.Kubeconfig, null, TimeProvider.System, default);
        _client = new KubernetesClient(configuration, null, TimeProvider.System);
        var authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(plane.Directory, "pki", "ca.crt"));
        var serving = SslStreamCertificateContext.Create(_certificates.Server(), null, offline: true);
        var address = IPAddress.Parse(plane.Server.Host);
        _server = new KubeletServer(
            new() { NodeName = _node, Certificate = () => serving, Address = address, Port = 0 },
            _host,
            new KubeletAuthenticator(() => [authority], _client, TimeProvider.System, NullLogger.Instance),
            new KubeletAuthorizer(_client, _node, TimeProvider.System),
            TimeProvider.System,
            NullLoggerFactory.Instance);
        await _server.StartAsync(default);
        await _client.CreateAsync(
            Resources.Nodes,
            new Node
            {
                Metadata = new() { Name = _node },
                Status = new()
                {
                    Addresses = [new() { Type = "InternalIP", Address = address.ToString() }],
                    DaemonEndpoints = new() { KubeletEndpoint = new() { Port = _server.Port } },
                },
            },
            default);
        var pod = await _client.CreateAsync(
            Resources.Pods,
            new Pod
            {
                Metadata = new() { Namespace = "default", Name = _pod },
                Spec = new() { NodeName = _node, Containers = [new() { Name = "main", Image = "image", Stdin = true }] },
            },
            default);
        _host.Add(_pod, pod.Metadata.Uid!, "main");
        await _client.PatchAsync(
            Resources.Pods,
            ObjectKey.Of(pod),
            Patch.Merge("""{"status":{"phase":"Running"}}"""u8.ToArray()),
            "status",
            default);
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
            await _client!.DeleteAsync(Resources.Nodes, new ObjectKey(_node), null, default);
            _client.Dispose();
        }

        _certificates.Dispose();
    }

    [ControlPlaneFact]
    public async Task Exec_OutputErrorsAndExitCode_ComeThroughEveryKubectl()
    {
        foreach (var kubectl in Kubectls())
        {
            var run = await RunAsync(kubectl, null, "exec", "-i", _pod, "--", "sh", "-c", "echo out; echo err >&2; exit 5");

            Assert.True(run.ExitCode == 5, run.ToString());
            Assert.Equal("out\n", run.Output);
            Assert.StartsWith("err\n", run.Errors, StringComparison.Ordinal);
        }
    }

    [ControlPlaneFact]
    public async Task Exec_Input_ReachesTheCommandToItsEnd()
    {
        foreach (var kubectl in Kubectls())
        {
            var run = await RunAsync(kubectl, "one\ntwo\n", "exec", "-i", _pod, "--", "sh", "-c", "cat; echo end");

            Assert.True(run.ExitCode == 0, run.ToString());
            Assert.Equal("one\ntwo\nend\n", run.Output);
        }
    }

    [ControlPlaneFact]
    public async Task Exec_Terminal_IsToldItsSize()
    {
        // kubectl asks for a terminal of its own before it offers one.
        var command = $"stty cols 90 rows 25; {Kubectls().Last()} --kubeconfig {shared.Plane.Kubeconfig} exec -it {_pod} -- sh -c 'sleep 1; echo bye'";

        var run = await RunProcessAsync("script", null, "-qec", command, "/dev/null");

        Assert.Contains("[90x25]", run.Output, StringComparison.Ordinal);
        Assert.Contains("bye", run.Output, StringComparison.Ordinal);
    }

    [ControlPlaneFact]
    public async Task Exec_FiftyMegabytes_ComeThrough()
    {
        var run = await RunAsync(Kubectls().Last(), null, "exec", _pod, "--", "sh", "-c", "head -c 50000000 /dev/zero | tr '\\0' x");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(50_000_000, run.Output.Length);
    }

    [ControlPlaneFact]
    public async Task Attach_Input_ReachesTheContainer()
    {
        foreach (var kubectl in Kubectls())
        {
            var run = await RunAsync(kubectl, "hello\n", "attach", "-i", _pod);

            Assert.True(run.ExitCode == 0, run.ToString());
            Assert.Contains("hello\n", run.Output, StringComparison.Ordinal);
        }
    }

    [ControlPlaneFact]
    public async Task Logs_OptionsAndErrors_AreThoseOfAKubelet()
    {
        _host.Log.AddRange([ProcessPodHost.Line("one\n"), ProcessPodHost.Line("two\n", seconds: 1)]);
        foreach (var kubectl in Kubectls())
        {
            var all = await RunAsync(kubectl, null, "logs", _pod);
            var limited = await RunAsync(kubectl, null, "logs", _pod, "--timestamps", "--limit-bytes=20", "--tail=2", "--since=1h");
            var previous = await RunAsync(kubectl, null, "logs", _pod, "--previous");

            Assert.Equal("one\ntwo\n", all.Output);
            Assert.Equal("2023-11-14T22:13:20.", limited.Output);
            Assert.Equal(2, _host.LastQuery!.TailLines);
            Assert.Contains($"previous terminated container \"main\" in pod \"{_pod}\" not found", previous.Errors, StringComparison.Ordinal);
        }
    }

    [ControlPlaneFact]
    public async Task Copy_ThereAndBack_IsTheSame()
    {
        var directory = Directory.CreateTempSubdirectory("kip-copy-").FullName;
        try
        {
            var source = Path.Combine(directory, "source");
            await File.WriteAllBytesAsync(source, System.Security.Cryptography.RandomNumberGenerator.GetBytes(3_000_000));
            foreach (var kubectl in Kubectls())
            {
                var there = await RunAsync(kubectl, null, "cp", source, $"{_pod}:{directory}/there");
                var back = await RunAsync(kubectl, null, "cp", $"{_pod}:{directory}/there", Path.Combine(directory, "back"));

                Assert.True(there.ExitCode == 0 && back.ExitCode == 0, $"{there}{back}");
                Assert.Equal(await File.ReadAllBytesAsync(source), await File.ReadAllBytesAsync(Path.Combine(directory, "back")));
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [ControlPlaneFact]
    public async Task PortForward_Connections_ReachThePod()
    {
        using var echo = new EchoServer();
        foreach (var kubectl in Kubectls())
        {
            using var process = Start(kubectl, "port-forward", _pod, $":{echo.Port}", "--address", "127.0.0.1");
            try
            {
                var line = await Within.Limits(process.StandardOutput.ReadLineAsync()) ?? await process.StandardError.ReadToEndAsync();
                var port = int.Parse(ForwardedPort().Match(line).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
                for (var i = 0; i < 3; i++)
                {
                    using var client = new TcpClient();
                    await Within.Limits(client.ConnectAsync("127.0.0.1", port));
                    var stream = client.GetStream();
                    await stream.WriteAsync("hello"u8.ToArray());
                    client.Client.Shutdown(SocketShutdown.Send);
                    using var reader = new StreamReader(stream);
                    Assert.Equal("hello", await Within.Limits(reader.ReadToEndAsync()));
                }
            }
            finally
            {
                process.Kill();
            }
        }
    }

    [ControlPlaneFact]
    public async Task Token_OfAServiceAccount_MayWhatItsRolesSay()
    {
        var name = $"reader-{Guid.NewGuid():N}";
        await shared.Plane.KubectlAsync("create", "serviceaccount", name);
        await shared.Plane.KubectlAsync("create", "clusterrole", name, "--verb=get", "--resource=nodes/metrics");
        await shared.Plane.KubectlAsync("create", "clusterrolebinding", name, $"--clusterrole={name}", $"--serviceaccount=default:{name}");
        var token = await _client!.CreateSubresourceAsync(
            Resources.ServiceAccounts, new ObjectKey("default", name), Resources.Token, new TokenRequest(), default);
        using var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, served, _, _) => served?.Subject == "CN=localhost" },
        });

        // A binding reaches the API server's authoriser a moment after it is made, and a no is remembered for ten seconds.
        var status = HttpStatusCode.Unused;
        for (var attempt = 0; attempt < 60 && status != HttpStatusCode.OK; attempt++)
        {
            status = await GetAsync("/metrics/resource", token.Status!.Token);
            await Task.Delay(status == HttpStatusCode.OK ? TimeSpan.Zero : TimeSpan.FromSeconds(1), TimeProvider.System, default);
        }

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync("/pods", token.Status!.Token));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync("/stats/summary", token.Status!.Token));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync("/metrics/resource", token.Status!.Token + "x"));

        async Task<HttpStatusCode> GetAsync(string path, string bearer)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"https://{shared.Plane.Server.Host}:{_server!.Port}{path}");
            request.Headers.Authorization = new("Bearer", bearer);
            using var answer = await http.SendAsync(request);
            return answer.StatusCode;
        }
    }

    /// <summary>Every release that this machine has: the one on the PATH, and those beside it.</summary>
    private static List<string> Kubectls()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        var onPath = folders.Select(folder => Path.Combine(folder, "kubectl")).FirstOrDefault(File.Exists);
        if (onPath is null)
        {
            return ["kubectl"];
        }

        var folder = Path.GetDirectoryName(File.ResolveLinkTarget(onPath, returnFinalTarget: true)?.FullName ?? onPath)!;
        var others = Directory.GetFiles(folder, "kubectl.1.*");
        Array.Sort(others, StringComparer.Ordinal);
        return others.Length == 0 ? [onPath] : [others[0], others[^1]];
    }

    private Task<ToolRun> RunAsync(string kubectl, string? input, params string[] arguments) =>
        RunProcessAsync(kubectl, input, ["--kubeconfig", shared.Plane.Kubeconfig, .. arguments]);

    private static async Task<ToolRun> RunProcessAsync(string program, string? input, params string[] arguments)
    {
        using var process = StartProcess(program, arguments);
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            await process.StandardInput.WriteAsync(input.AsMemory(), limit.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(limit.Token);
            return new ToolRun($"{program} {string.Join(' ', arguments)}", process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"waited {Patience.TotalSeconds} s for {program} {string.Join(' ', arguments)} to end");
        }
    }

    private Process Start(string kubectl, params string[] arguments) =>
        StartProcess(kubectl, ["--kubeconfig", shared.Plane.Kubeconfig, .. arguments]);

    private static Process StartProcess(string program, string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    [GeneratedRegex(@"127\.0\.0\.1:(\d+) ->")]
    private static partial Regex ForwardedPort();
}
