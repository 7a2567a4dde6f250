using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Pods on a real containerd, one world for all of a test's pods since a cell runs one pod in its life.</summary>
public sealed class HelloTests
{
    [ContainerdFact]
    [PodField("spec.containers", "spec.containers[].command", "spec.containers[].image", "status.phase", "status.podIP",
        "status.containerStatuses[].state.terminated.exitCode", "status.containerStatuses[].state.terminated.reason")]
    public async Task Pod_ThatPrints_SucceedsAndItsLogIsThere()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();

        await client.Apply(world.Request(CellWorld.Pod("echo hello; echo oops >&2; printf end")));
        var status = await EndAsync(world, client);

        Assert.Equal("Succeeded", status.Phase);
        Assert.Equal(world.PodAddress, status.PodIP);
        var terminated = Assert.Single(status.ContainerStatuses!).State!.Terminated!;
        Assert.Equal((0, "Completed"), (terminated.ExitCode, terminated.Reason));
        Assert.Equal(["1:end", "1:hello\n", "2:oops\n"], (await ReadAsync(client)).Order(StringComparer.Ordinal));
        Assert.Equal("containerd", (await client.Hello()).Runtime.Split(' ')[0]);
    }

    [ContainerdFact]
    [PodField("spec.containers[].env", "spec.containers[].env[].valueFrom.fieldRef", "spec.containers[].terminationMessagePath",
        "status.containerStatuses[].state.terminated.message")]
    public async Task Pod_ThatExits3_FailsWithThatAndItsLastWords()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("echo farewell $GREETING $WHERE > /dev/termination-log; hostname; cat /etc/hosts; exit 3");
        pod.Spec.Containers[0].TerminationMessagePath = "/dev/termination-log";
        pod.Spec.Containers[0].Env =
        [
            new EnvVar { Name = "GREETING", Value = "from $(WHERE)" },
            new EnvVar { Name = "WHERE", ValueFrom = new EnvVarSource { FieldRef = new ObjectFieldSelector { FieldPath = "status.podIP" } } },
        ];
        pod.Spec.Containers[0].Env!.Reverse();

        await client.Apply(world.Request(pod));
        var status = await EndAsync(world, client);

        var terminated = Assert.Single(status.ContainerStatuses!).State!.Terminated!;
        Assert.Equal(("Failed", 3, "Error"), (status.Phase, terminated.ExitCode, terminated.Reason));
        Assert.Equal($"farewell from {world.PodAddress} {world.PodAddress}\n", terminated.Message);
        var log = string.Concat(await ReadAsync(client));
        Assert.Contains("1:hello\n", log, StringComparison.Ordinal);
        Assert.Contains($"{world.PodAddress}\thello\n", log, StringComparison.Ordinal);
    }

    [ContainerdFact]
    [PodField("spec.containers[].terminationMessagePolicy")]
    public async Task Pod_ThatFailsWithNothingButItsLog_HasTheEndOfItAsMessage()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        // The pause: when a container has ended, containerd 1.6 takes two seconds to drain its output and drops the rest.
        var pod = CellWorld.Pod("seq 1 100; echo oops; sleep 0.5; exit 1");
        pod.Spec.Containers[0].TerminationMessagePath = "/dev/termination-log";
        pod.Spec.Containers[0].TerminationMessagePolicy = "FallbackToLogsOnError";

        await client.Apply(world.Request(pod));
        var status = await EndAsync(world, client);

        var lines = status.ContainerStatuses![0].State!.Terminated!.Message!.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(80, lines.Length);
        Assert.Contains("oops", lines);
        Assert.Contains("100", lines);
        Assert.DoesNotContain("20", lines);
    }

    [ContainerdFact]
    [PodField("spec.ephemeralContainers", "spec.ephemeralContainers[].targetContainerName", "spec.containers[].stdin",
        "status.ephemeralContainerStatuses")]
    public async Task Pod_ThatIsDebugged_ShowsItsProcessesToTheDebugger()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("sleep 54321");
        await client.Apply(world.Request(pod));
        await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);

        pod.Spec.EphemeralContainers =
        [
            new EphemeralContainer
            {
                Name = "debugger", Image = TestImages.Busybox, TargetContainerName = "main", Command = ["sh", "-c", "cat /proc/1/cmdline; echo; read -r _"], Stdin = true,
            },
        ];
        await client.Apply(world.Request(pod));
        await world.WaitForAsync(client, "the debugger to run", status => status.EphemeralContainerStatuses is [{ State.Running: not null }]);
        await using var agent = await world.ConnectControllerAsync();
        await using (var session = await agent.AttachAsync(
            CellWorld.PodUid, new Kip.Agents.AttachRequest { Container = "debugger", Stdin = true }, CancellationToken.None))
        {
            await session.WriteInputAsync("go on\n"u8.ToArray(), CancellationToken.None);
            await foreach (var piece in session.ReadOutputAsync(CancellationToken.None))
            {
                Assert.False(piece.IsError);
            }
        }

        var status = await world.WaitForAsync(
            client, "the debugger to end", status => status.EphemeralContainerStatuses is [{ State.Terminated: not null }]);
        Assert.Equal("sleep\0" + "54321\0\n", string.Concat((await ReadAsync(client, "debugger")).Select(line => line[2..])));
        Assert.Equal(("Running", 0), (status.Phase, status.EphemeralContainerStatuses![0].State!.Terminated!.ExitCode));
    }

    [ContainerdFact]
    [PodField("spec.containers[].resources.limits", "status.containerStatuses[].state.terminated.reason")]
    public async Task Pod_ThatTakesTooMuchMemory_IsOOMKilled()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("x=0123456789abcdef; while true; do x=$x$x; done");
        pod.Spec.Containers[0].Resources = new ResourceRequirements { Limits = new() { ["memory"] = Quantity.Parse("16Mi") } };

        await client.Apply(world.Request(pod));
        var status = await EndAsync(world, client);

        var terminated = Assert.Single(status.ContainerStatuses!).State!.Terminated!;
        Assert.Equal(("Failed", 137, "OOMKilled"), (status.Phase, terminated.ExitCode, terminated.Reason));
    }

    [ContainerdFact]
    public async Task Pod_WithAnUnknownCommand_FailsWithTheRuntimesReason()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("");
        pod.Spec.Containers[0].Command = ["no-such-command"];

        await client.Apply(world.Request(pod));
        var status = await EndAsync(world, client);

        var terminated = Assert.Single(status.ContainerStatuses!).State!.Terminated!;
        Assert.Equal(("Failed", 128, "StartError"), (status.Phase, terminated.ExitCode, terminated.Reason));
        Assert.Contains("executable file not found in $PATH", terminated.Message, StringComparison.Ordinal);
    }

    [ContainerdFact]
    [PodField("spec.terminationGracePeriodSeconds", "status.podIP")]
    public async Task Pod_ThatServes_AnswersOnItsAddressAndStopsWithGrace()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        await client.Apply(world.Request(CellWorld.Pod("trap 'echo bye; exit 0' TERM; echo hi > /tmp/index.html; httpd -p 8080 -h /tmp; while true; do sleep 0.05; done", "Always")));
        await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);

        var answer = "";
        try
        {
            await CellWorld.WaitAsync("an answer on the pod's address", async () => (answer = await AskAsync(world.PodAddress)) == "hi\n");
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{answer}\n{await world.ShellAsync("ip addr; ip route; cat /proc/sys/net/ipv4/conf/all/proxy_arp")}\n{world.Logs()}");
        }

        await client.Stop(CellWorld.PodUid, 10);
        var status = await EndAsync(world, client);

        Assert.Equal("Succeeded", status.Phase);
        Assert.Equal("1:bye\n", (await ReadAsync(client)).Last());
        await client.Stop(CellWorld.PodUid, 0);
    }

    [ContainerdFact]
    [PodField("status.containerStatuses[].containerID", "status.containerStatuses[].restartCount", "status.containerStatuses[].state.running")]
    public async Task Agent_KilledMidPod_AdoptsWhatRuns()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        await client.Apply(world.Request(CellWorld.Pod("echo up; while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 4")));
        var before = await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);

        await world.KillAgentAsync();
        await world.StartAgentAsync();
        using var again = world.Connect();
        var after = await world.WaitForAsync(again, "the adopted pod", status => status.ContainerStatuses![0].Ready);
        Assert.Equal(before.ContainerStatuses![0].ContainerID, after.ContainerStatuses![0].ContainerID);
        Assert.Equal(0, after.ContainerStatuses[0].RestartCount);
        await world.KillAgentAsync();
        await world.ShellAsync($"ctr -a {world.Directory}/containerd.sock -n k8s.io task kill -s SIGKILL {after.ContainerStatuses[0].ContainerID!["containerd://".Length..]}");
        await world.StartAgentAsync();
        using var third = world.Connect();
        var status = await EndAsync(world, third);

        Assert.Equal(("Failed", 137), (status.Phase, status.ContainerStatuses![0].State!.Terminated!.ExitCode));
        Assert.Equal(["1:up\n"], await ReadAsync(third));
    }

    [ContainerdFact]
    public async Task Containerd_KilledMidPod_ComesBackToTheSameContainer()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        await client.Apply(world.Request(CellWorld.Pod("sleep 1000", "Always")));
        var before = await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);

        await world.KillContainerdAsync();
        await world.WaitForAsync(client, "word of the runtime", status => status.Conditions!.Exists(each => each.Reason == "RuntimeNotAnswering"));
        await world.StartContainerdAsync();
        var after = await world.WaitForAsync(
            client, "the runtime's return", status => !status.Conditions!.Exists(each => each.Reason == "RuntimeNotAnswering") && status.ContainerStatuses![0].Ready);

        Assert.Equal(before.ContainerStatuses![0].ContainerID, after.ContainerStatuses![0].ContainerID);
        Assert.Equal(0, after.ContainerStatuses[0].RestartCount);
        await client.Stop(CellWorld.PodUid, 0);
        await EndAsync(world, client);
    }

    [ContainerdFact]
    public async Task Log_Followed_ComesAtOnceAndOverRestarts()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        await client.Apply(world.Request(CellWorld.Pod("echo run; sleep 0.3; echo end; exit 1", "OnFailure")));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        var request = new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = "main", TailLines = -1, Follow = true };
        var lines = new List<string>();
        var slowest = TimeSpan.Zero;

        await foreach (var chunk in client.Logs(request, patience.Token))
        {
            lines.Add(chunk.Data.ToStringUtf8());
            var age = TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch.AddTicks(chunk.TimeUnixNs / 100);
            // The first line is already there when the reader comes.
            slowest = lines.Count > 1 && age > slowest ? age : slowest;
            if (lines.Count == 4)
            {
                await client.Stop(CellWorld.PodUid, 0);
            }
        }

        Assert.Equal(["run\n", "end\n", "run\n", "end\n"], lines.Take(4));
        Assert.True(slowest < TimeSpan.FromSeconds(1), $"a line took {slowest}");
        var error = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(client, "nobody"));
        Assert.Equal((StatusCode.NotFound, "the pod has no container 'nobody', only main"), (error.StatusCode, error.Status.Detail));
    }

    private static Task<PodStatus> EndAsync(CellWorld world, AgentClient client) =>
        world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");

    private static async Task<string> AskAsync(string address)
    {
        try
        {
            using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
            return await http.GetStringAsync(new Uri($"http://{address}:8080/index.html"));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return e.Message;
        }
    }

    private static async Task<List<string>> ReadAsync(AgentClient client, string container = "main")
    {
        var lines = new List<string>();
        var request = new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = container, TailLines = -1 };
        await foreach (var chunk in client.Logs(request, CancellationToken.None))
        {
            lines.Add($"{chunk.Stream}:{chunk.Data.ToStringUtf8()}");
        }

        return lines;
    }
}
