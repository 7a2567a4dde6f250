using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Kip.Agents;
using Kip.Agents.Protocol;
using Kip.Cells;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Agent.Tests.Support;

/// <summary>
/// A cell of one's own: namespaces of every kind, in them a containerd and the agent, reached over a veth pair. A shell is process 1 of it and
/// takes commands; when that ends, so does everything.
/// </summary>
internal sealed class CellWorld : IAsyncDisposable
{
    public const string PodUid = "11111111-2222-3333-4444-555555555555";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly SemaphoreSlim _shell = new(1);
    private readonly Process _init;
    private readonly string _subnet;
    private readonly string _id;
    private int _commands;
    private CertificateAuthority? _controller;

    private CellWorld(string directory, string id, string subnet, Process init) =>
        (Directory, _id, _subnet, _init) = (directory, id, subnet, init);

    public string Directory { get; }

    public TestAuthority Authority { get; } = new();

    public string PodAddress => $"{_subnet}.3";

    /// <summary>This machine, as the world sees it.</summary>
    public string HostAddress => $"{_subnet}.1";

    /// <summary>Stands in for NVIDIA's runtime: runc, with its calls written to a file beside it.</summary>
    public string FakeNvidiaRuntime => Path.Combine(Directory, "fake-nvidia-runtime");

    public string LogDirectory => Path.Combine(Directory, "log");

    /// <summary>Makes the world with containerd and an enrolled agent in it.</summary>
    public static async Task<CellWorld> StartAsync()
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        var directory = System.IO.Directory.CreateTempSubdirectory("kip-agent-test-").FullName;
        var world = new CellWorld(directory, id, FreeSubnet(), StartInit());
        try
        {
            await world.PrepareAsync();
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public AgentClient Connect() => new($"{_subnet}.2:6421", Authority.Client());

    /// <summary>A connection as the controller makes it.</summary>
    public async Task<ICellAgent> ConnectControllerAsync()
    {
        _controller ??= await Authority.ForControllerAsync(Path.Combine(Directory, "ca"));
        var connector = new GrpcAgentConnector(_controller, TimeProvider.System, NullLogger<GrpcAgentConnector>.Instance);
        var cell = new CellRecord
        {
            Id = $"cell-{_id}",
            Owner = "test",
            State = CellState.Claimed,
            StateSince = DateTimeOffset.UnixEpoch,
            CreatedAt = DateTimeOffset.UnixEpoch,
            Pod = new PodReference("default", "hello", PodUid),
            LaunchToken = new string('0', 32),
            InstanceType = "type",
            Zone = "zone",
            Address = $"{_subnet}.2",
        };
        return await connector.ConnectAsync(cell, null, CancellationToken.None);
    }

    public Task StartContainerdAsync() => ShellAsync(
        $"containerd --config {Directory}/containerd.toml >>{Directory}/containerd.log 2>&1 & containerd=$!; "
        + $"until ctr -a {Directory}/containerd.sock version >/dev/null 2>&1; do sleep 0.02; done");

    public Task KillContainerdAsync() => ShellAsync("kill -9 $containerd; wait $containerd 2>/dev/null; true");

    public async Task StartAgentAsync()
    {
        var program = Path.Combine(AppContext.BaseDirectory, "kip-agent.dll");
        await ShellAsync(
            $"{Environment.ProcessPath} exec {program} --user-data {Directory}/user-data.json --runtime-endpoint {Directory}/containerd.sock "
            + $"--state-dir {Directory}/state --log-dir {LogDirectory} --volume-dir {Directory}/volumes --cgroup-parent /kip-test-{_id} --cni-conf-dir {Directory}/cni "
            + $"--registry-conf-dir {Directory}/certs.d --seccomp-dir {Directory}/seccomp --image-archive {Directory}/busybox.tar --image-archive {Directory}/pause.tar "
            + $">>{Directory}/agent.log 2>&1 & agent=$!");
        await WaitAsync("the agent to answer", async () =>
        {
            using var client = Connect();
            try
            {
                await client.Hello();
                return true;
            }
            catch (Kip.Grpc.RpcException)
            {
                return false;
            }
        });
    }

    public Task KillAgentAsync() => ShellAsync("kill -9 $agent; wait $agent 2>/dev/null; true");

    /// <summary>Runs a command in the world and returns what it printed.</summary>
    public async Task<string> ShellAsync(string command)
    {
        await _shell.WaitAsync();
        try
        {
            var marker = string.Create(CultureInfo.InvariantCulture, $"--done-{++_commands}--");
            await _init.StandardInput.WriteLineAsync($"{command}\necho; echo {marker} $?");
            await _init.StandardInput.FlushAsync();
            var output = new StringBuilder();
            using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
            while (await _init.StandardOutput.ReadLineAsync(patience.Token) is { } line)
            {
                if (line.StartsWith(marker, StringComparison.Ordinal))
                {
                    return output.ToString().TrimEnd('\n');
                }

                output.Append(line).Append('\n');
            }

            throw new InvalidOperationException($"the world ended during: {command}");
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"no end after {Patience}: {command}");
        }
        finally
        {
            _shell.Release();
        }
    }

    /// <summary>A pod with one container of the busybox image that runs a shell script.</summary>
    public static Pod Pod(string script, string restartPolicy = "Never") => new()
    {
        ApiVersion = "v1",
        Kind = "Pod",
        Metadata = new ObjectMeta { Name = "hello", Namespace = "default", Uid = PodUid },
        Spec = new PodSpec
        {
            RestartPolicy = restartPolicy,
            TerminationGracePeriodSeconds = 5,
            Containers = [new Container { Name = "main", Image = TestImages.Busybox, Command = ["sh", "-c", script] }],
        },
    };

    public ApplyPodRequest Request(Pod pod) => new()
    {
        Pod = Google.Protobuf.ByteString.CopyFrom(KubernetesJson.SerializeToUtf8(pod)), PodAddress = PodAddress,
    };

    /// <summary>Gives the cell a pod and waits for its end.</summary>
    public async Task<PodStatus> RunAsync(AgentClient client, Pod pod)
    {
        await client.Apply(Request(pod));
        return await WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");
    }

    /// <summary>Watches until a status fits.</summary>
    public async Task<PodStatus> WaitForAsync(AgentClient client, string what, Func<PodStatus, bool> fits)
    {
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        var last = "none";
        try
        {
            await foreach (var update in client.Watch(patience.Token))
            {
                if (update.Report is { } report)
                {
                    last = report.Status.ToStringUtf8();
                    var status = KubernetesJson.DeserializePodStatus(report.Status.Span);
                    if (fits(status))
                    {
                        return status;
                    }
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or Kip.Grpc.RpcException)
        {
            throw new TimeoutException($"waited for {what} ({e.Message}); the last status was {last}\n{Logs()}");
        }

        throw new TimeoutException($"the watch ended while waiting for {what}; the last status was {last}\n{Logs()}");
    }

    public static async Task WaitAsync(string what, Func<Task<bool>> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
            {
                throw new TimeoutException($"waited {Patience} for {what}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        }
    }

    public string Logs()
    {
        var text = new StringBuilder();
        foreach (var name in (string[])["agent.log", "containerd.log"])
        {
            var path = Path.Combine(Directory, name);
            if (File.Exists(path))
            {
                text.AppendLine($"--- {name}").AppendJoin('\n', File.ReadLines(path).TakeLast(40)).AppendLine();
            }
        }

        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_init.HasExited)
        {
            // unshare was told to take its child along.
            _init.Kill();
            await _init.WaitForExitAsync();
        }

        _init.Dispose();
        _shell.Dispose();
        _controller?.Dispose();
        Authority.Dispose();
        await WaitAsync($"{Directory} and its cgroups to be free", () => Task.FromResult(TryRemove()));
    }

    private bool TryRemove()
    {
        try
        {
            foreach (var controller in System.IO.Directory.GetDirectories("/sys/fs/cgroup"))
            {
                Remove(Path.Combine(controller, $"kip-test-{_id}"));
            }

            if (System.IO.Directory.Exists(Directory))
            {
                System.IO.Directory.Delete(Directory, recursive: true);
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>A cgroup's files cannot be deleted; the directories go from the innermost outwards.</summary>
    private static void Remove(string cgroup)
    {
        if (System.IO.Directory.Exists(cgroup))
        {
            foreach (var child in System.IO.Directory.GetDirectories(cgroup))
            {
                Remove(child);
            }

            System.IO.Directory.Delete(cgroup);
        }
    }

    private static Process StartInit()
    {
        var start = new ProcessStartInfo("/usr/bin/unshare")
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        foreach (var argument in (string[])["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child", "bash"])
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    private static string FreeSubnet()
    {
        while (true)
        {
            var subnet = string.Create(CultureInfo.InvariantCulture, $"10.213.{RandomNumberGenerator.GetInt32(256)}");
            if (!File.ReadAllText("/proc/net/fib_trie").Contains($"|-- {subnet}.", StringComparison.Ordinal))
            {
                return subnet;
            }
        }
    }

    private async Task PrepareAsync()
    {
        TestImages.Write(Directory);
        await File.WriteAllTextAsync(Path.Combine(Directory, "containerd.toml"), $"""
            version = 2
            root = "{Directory}/containerd"
            state = "/run/containerd"
            [grpc]
              address = "{Directory}/containerd.sock"
            [plugins."io.containerd.grpc.v1.cri"]
              disable_tcp_service = true
              disable_hugetlb_controller = false
              restrict_oom_score_adj = true
              stream_server_address = "127.0.0.1"
              stream_server_port = "0"
              sandbox_image = "{TestImages.Pause}"
              [plugins."io.containerd.grpc.v1.cri".cni]
                bin_dir = "/usr/lib/cni"
                conf_dir = "{Directory}/cni"
              [plugins."io.containerd.grpc.v1.cri".registry]
                config_path = "{Directory}/certs.d"
              [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
                runtime_type = "io.containerd.runc.v2"
              [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
                runtime_type = "io.containerd.runc.v2"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]
                  BinaryName = "{FakeNvidiaRuntime}"
            """);
        await File.WriteAllTextAsync(FakeNvidiaRuntime, $"#!/bin/sh\necho \"$*\" >>{FakeNvidiaRuntime}.calls\nexec runc \"$@\"\n");
        File.SetUnixFileMode(FakeNvidiaRuntime, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        await File.WriteAllTextAsync(Path.Combine(Directory, "user-data.json"), $$"""
            {"cellId":"cell-{{_id}}","controllerCa":{{System.Text.Json.JsonSerializer.Serialize(Authority.Pem)}},
             "enrolmentToken":"{{Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}}","port":6421}
            """);
        await ShellAsync(
            "mount --make-rshared / && mkdir -p /run/containerd /run/netns /var/lib/cni && mount -t tmpfs tmpfs /run/containerd "
            + "&& mount -t tmpfs tmpfs /run/netns && mount -t tmpfs tmpfs /var/lib/cni && ip link set lo up");
        // The child of unshare, seen from outside: the network namespace is entered by it.
        var children = await File.ReadAllTextAsync($"/proc/{_init.Id}/task/{_init.Id}/children");
        await HostAsync($"ip link add kat{_id} type veth peer name eth0 netns {children.Trim()}");
        await HostAsync($"ip addr add {_subnet}.1/24 dev kat{_id}");
        await HostAsync($"ip link set kat{_id} up");
        await ShellAsync($"ip addr add {_subnet}.2/24 dev eth0 && ip link set eth0 up && ip route add default via {_subnet}.1");
        await StartContainerdAsync();
        await StartAgentAsync();
        using var client = Connect();
        await client.Enrol(Authority);
    }

    private static async Task HostAsync(string command)
    {
        var words = command.Split(' ');
        using var process = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true })!;
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{command}: {errors}");
        }
    }
}
