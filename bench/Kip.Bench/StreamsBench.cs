using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.IO.Pipelines;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Streaming;

namespace Kip.Bench;

/// <summary>
/// What goes through <c>kubectl exec</c> and <c>kubectl logs</c>: a real node with a local cell, its file and its log read by kubectl and, beside
/// it, by programs on the cell; then many sessions that do nothing. Memory and threads are those of host and agent.
/// </summary>
internal sealed class StreamsBench(string root, string kubeconfig, int megabytes) : IAsyncDisposable
{
    private const string Node = "streams";
    private const string Pod = "streams";
    private const string Marker = "86399251";
    private const int Sessions = 200;
    private const int FollowRounds = 4;
    private const int LineLength = 100;
    private const int TicksPerSecond = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _state = Directory.CreateTempSubdirectory("kip-bench-").FullName;
    private Process? _host;
    private int _agent;
    private (string Name, int Process)[] _processes = [];

    public static async Task RunAsync(string root, string kubeconfig, int megabytes)
    {
        await using var bench = new StreamsBench(root, kubeconfig, megabytes);
        await bench.RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
        {
            await TryKubectlAsync("delete", "pod", Pod, "--grace-period=1");
            _host.Kill();
            await _host.WaitForExitAsync();
            _host.Dispose();
            using var delete = Start(Kip, ["delete", "cells", "--node", Node, "--state-dir", _state]);
            await delete.WaitForExitAsync();
        }

        Directory.Delete(_state, recursive: true);
    }

    private string Kip => Path.Combine(root, "artifacts", "kip", "kip");

    private async Task RunAsync()
    {
        Console.WriteLine($"{megabytes} MB through exec and logs, one local cell, API server on the same machine; {Measured.Machine()}");
        await StartNodeAsync();
        var (container, process) = await StartPodAsync();
        var cell = await File.ReadAllTextAsync(Directory.EnumerateFiles(Path.Combine(_state, "local"), "init", SearchOption.AllDirectories).Single());
        var init = int.Parse(cell.Split(' ')[0], CultureInfo.InvariantCulture);
        _agent = BenchCells.ProcessOf(init);
        var state = Path.GetDirectoryName(kubeconfig)!;
        _processes =
        [
            ("host", _host!.Id),
            ("agent", _agent),
            ("containerd", BenchCells.ProcessOf(init, "containerd")),
            ("API server", Find(p => Read(p, "comm") == "kube-apiserver\n" && Read(p, "cmdline").Contains(state, StringComparison.Ordinal))),
        ];
        var arguments = (await File.ReadAllTextAsync($"/proc/{_agent}/cmdline")).Split('\0');
        var log = Directory.EnumerateFiles($"/proc/{_agent}/root{After(arguments, "--log-dir")}", "0.log", SearchOption.AllDirectories).Single() + ".20260101-000000.0000000"; // as after a rotation
        await WriteLogAsync(log);

        string[] inContainer = ["-t", $"{process}", "-m", "-r", "-p", "--"];
        string[] ctr = ["-t", $"{_agent}", "-m", "-r", "-n", "-p", "--", "ctr", "--address", After(arguments, "--runtime-endpoint"), "-n", "k8s.io", "task", "exec"];
        for (var round = 1; round <= 2; round++)
        {
            await MeasureAsync("cat of a file, in the container", "nsenter", [.. inContainer, "cat", "/file"]);
            await MeasureAsync("  the same by ctr task exec", "nsenter", [.. ctr, "--exec-id", $"bench-{round}", container, "cat", "/file"]);
            await MeasureAsync("  the same by kubectl exec", "kubectl", ["--kubeconfig", kubeconfig, "exec", Pod, "--", "cat", "/file"]);
            await MeasureAsync("cat of the log's file, on the cell", "cat", [log]);
            await MeasureAsync("  the log by kubectl get --raw", "kubectl", ["--kubeconfig", kubeconfig, "get", "--raw", $"/api/v1/namespaces/default/pods/{Pod}/log"]);
            await MeasureAsync("  by kubectl logs, line by line", "kubectl", ["--kubeconfig", kubeconfig, "logs", Pod]);
        }

        await IdleAsync();
    }

    private async Task StartNodeAsync()
    {
        using var socket = new System.Net.Sockets.TcpListener(IPAddress.Any, 0);
        socket.Start();
        var port = ((IPEndPoint)socket.LocalEndpoint).Port;
        socket.Stop();
        var start = new ProcessStartInfo(
            Kip, ["node", "--provider-config", Path.Combine(root, "samples", "node", "provider.yaml"), "--kubeconfig", kubeconfig, "--nodename", Node, "--state-dir", _state])
        { RedirectStandardError = true };
        start.Environment["KUBELET_PORT"] = port.ToString(CultureInfo.InvariantCulture);
        _host = Process.Start(start) ?? throw new InvalidOperationException("kip did not start");
        while (await _host.StandardError.ReadLineAsync() is { } line)
        {
            if (line.Contains("is ready", StringComparison.Ordinal))
            {
                _ = _host.StandardError.ReadToEndAsync();
                return;
            }

            Console.Error.WriteLine(line);
        }

        throw new InvalidOperationException("the node did not start");
    }

    private async Task<(string Container, int Process)> StartPodAsync()
    {
        var manifest = Path.Combine(_state, "pod.yaml");
        await File.WriteAllTextAsync(manifest, $$"""
            apiVersion: v1
            kind: Pod
            metadata: {name: {{Pod}} }
            spec:
              nodeName: {{Node}}
              automountServiceAccountToken: false
              containers:
                - name: main
                  image: busybox:1.35
                  command: [sh, -c, "dd if=/dev/zero of=/file bs=1M count={{megabytes}} && touch /ready && exec sleep {{Marker}}"]
            """);
        await KubectlAsync("apply", "-f", manifest);
        await KubectlAsync("wait", $"pod/{Pod}", "--for=condition=Ready", "--timeout=120s");
        var process = 0;
        await UntilAsync("the pod's file", () => (process = Find(static p => Arguments(p) is ["sleep", Marker, ""])) > 0);
        var container = await KubectlAsync("get", "pod", Pod, "-o", "jsonpath={.status.containerStatuses[0].containerID}");
        return (container[(container.LastIndexOf('/') + 1)..], process);
    }

    private async Task WriteLogAsync(string path)
    {
        await using var log = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 1 << 20);
        var line = System.Text.Encoding.ASCII.GetBytes($"2026-01-01T00:00:00.123456789Z stdout F {new string('x', LineLength - 1)}\n");
        for (var left = megabytes * 1_000_000L; left > 0; left -= LineLength)
        {
            log.Write(line);
        }
    }

    private async Task MeasureAsync(string what, string program, string[] arguments)
    {
        var host = new Memory(_host!.Id);
        var agent = new Memory(_agent);
        var before = Array.ConvertAll(_processes, static p => Processor(p.Process));
        var begin = Stopwatch.GetTimestamp();
        using var process = Start(program, arguments);
        var buffer = new byte[1 << 20];
        long bytes = 0;
        var own = 0.0;
        int count;
        while ((count = await process.StandardOutput.BaseStream.ReadAsync(buffer)) > 0)
        {
            bytes += count;
            if (host.Look())
            {
                agent.Look();
                own = Math.Max(own, Processor(process.Id));
            }
        }

        await process.WaitForExitAsync();
        var seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        var gigabytes = bytes / 1e9;
        var spent = _processes.Zip(before, (p, b) => string.Create(CultureInfo.InvariantCulture, $"{p.Name} {(Processor(p.Process) - b) / gigabytes:0.0}"))
            .Append(string.Create(CultureInfo.InvariantCulture, $"{program} {own / gigabytes:0.0}"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what,-36}{bytes / 1e6 / seconds,8:0} MB/s   memory of host {host}, agent {agent}   processor seconds per GB: {string.Join(", ", spent)}"));
        if (process.ExitCode != 0 || bytes < megabytes * 1_000_000L)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} exited with {process.ExitCode} after {bytes} bytes");
        }
    }

    private async Task IdleAsync()
    {
        var configuration = await KubernetesConfiguration.LoadAsync(kubeconfig, null, TimeProvider.System, default);
        var credential = await configuration.Credentials.GetAsync(default);
        using var http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                ClientCertificateContext = credential.ClientCertificate,
#pragma warning disable CA5359 // The server is the one that this benchmark has just started.
                RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
            },
        });
        Idle("nothing going on");
        var pod = new Uri(configuration.Server, $"/api/v1/namespaces/default/pods/{Pod}/");
        var sessions = new List<RemoteCommandClient>();
        for (var i = 0; i < Sessions; i++)
        {
            var session = await RemoteCommandClient.ConnectAsync(
                http, new Uri(pod, "exec?container=main&command=cat&stdin=true&stdout=true"), new RemoteCommandStreams(true, true, false, false), null, default);
            await session.WriteInputAsync("x"u8.ToArray(), default);
            var read = await session.Output!.ReadAtLeastAsync(1);
            session.Output.AdvanceTo(read.Buffer.End);
            sessions.Add(session);
        }

        Idle($"{Sessions} idle exec sessions");
        await Task.WhenAll(sessions.Select(static s => s.DisposeAsync().AsTask()));
        // What is kept once is no leak; what grows each time is.
        for (var round = 1; round <= FollowRounds; round++)
        {
            await FollowAsync(http, new Uri(pod, "log?follow=true&tailLines=1"), round);
        }
    }

    private async Task FollowAsync(HttpMessageInvoker http, Uri log, int round)
    {
        var followers = new List<HttpResponseMessage>();
        for (var i = 0; i < Sessions; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, log);
            var response = await http.SendAsync(request, default);
            followers.Add(response.EnsureSuccessStatusCode());
            _ = await (await response.Content.ReadAsStreamAsync()).ReadAtLeastAsync(new byte[1], 1);
        }

        Idle($"{Sessions} times logs -f, round {round}");
        followers.ForEach(static f => f.Dispose());
        await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System, CancellationToken.None);
        Idle("10 s after their end");
    }

    private void Idle(string what) => Console.WriteLine(
        $"{what,-36}host {Memory.Of(_host!.Id),4:0} MB, {Threads(_host.Id)} threads   agent {Memory.Of(_agent),4:0} MB, {Threads(_agent)} threads");

    private async Task<string> KubectlAsync(params string[] arguments) =>
        await TryKubectlAsync(arguments) is (0, var output) ? output : throw new InvalidOperationException($"kubectl {string.Join(' ', arguments)} failed");

    private async Task<(int ExitCode, string Output)> TryKubectlAsync(params string[] arguments)
    {
        using var process = Start("kubectl", ["--kubeconfig", kubeconfig, .. arguments]);
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }

    private static Process Start(string program, string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true }) ?? throw new InvalidOperationException($"{program} did not start");

    private static async Task UntilAsync(string what, Func<bool> condition)
    {
        var begin = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(begin) > Patience)
            {
                throw new TimeoutException($"waited {Patience.TotalSeconds:0} s for {what}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
        }
    }

    private static string After(string[] arguments, string option) => arguments[Array.IndexOf(arguments, option) + 1];

    /// <summary>The process that has this about it; 0 when there is none.</summary>
    private static int Find(Func<int, bool> condition) => Directory.EnumerateDirectories("/proc")
        .Select(static d => int.TryParse(Path.GetFileName(d), out var id) ? id : 0)
        .FirstOrDefault(id => id > 0 && condition(id));

    private static double Processor(int process)
    {
        // After the name, which may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, fields 14 and 15.
        var stat = Read(process, "stat");
        if (stat.Length == 0)
        {
            return 0;
        }

        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    }

    private static string[] Arguments(int process) => Read(process, "cmdline").Split('\0');

    private static int Threads(int process) => int.Parse(Field(process, "Threads"), CultureInfo.InvariantCulture);

    private static string Field(int process, string name) =>
        Read(process, "status").Split('\n').FirstOrDefault(l => l.StartsWith(name + ":", StringComparison.Ordinal))?[(name.Length + 1)..].Replace("kB", "", StringComparison.Ordinal).Trim() ?? "0";

    private static string Read(int process, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/{file}");
        }
        catch (IOException)
        {
            return ""; // it has ended meanwhile
        }
    }

    /// <summary>Resident memory of a process, before and at its highest.</summary>
    private sealed class Memory(int process)
    {
        private readonly double _before = Of(process);
        private double _highest;
        private long _lookedAt;

        public static double Of(int process) => double.Parse(Field(process, "VmRSS"), CultureInfo.InvariantCulture) / 1000;

        /// <summary>Looks, unless it did a moment ago.</summary>
        public bool Look()
        {
            if (Stopwatch.GetElapsedTime(_lookedAt) < TimeSpan.FromMilliseconds(50))
            {
                return false;
            }

            _highest = Math.Max(_highest, Of(process));
            _lookedAt = Stopwatch.GetTimestamp();
            return true;
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_before,4:0} to {_highest,4:0} MB");
    }
}
