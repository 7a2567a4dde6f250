using Kip.Agent.Tests.Sessions;
using Kip.Agent.Tests.Support;
using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Probes;

/// <summary>Probes of containers of a real containerd.</summary>
public sealed class ContainerdProbesTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [ContainerdFact]
    [PodField("spec.containers[].livenessProbe", "spec.containers[].livenessProbe.terminationGracePeriodSeconds")]
    public async Task Liveness_BeginsToFail_ContainerIsRestartedWithinTheProbesGracePeriod()
    {
        await using var world = await CellWorld.StartAsync();
        var pod = CellWorld.Pod(": >/tmp/healthy; sleep 2; busybox rm /tmp/healthy; sleep 100000", "Always");
        pod.Spec.TerminationGracePeriodSeconds = 600;
        var probe = Every(new Probe { Exec = new ExecAction { Command = ["cat", "/tmp/healthy"] } });
        (probe.FailureThreshold, probe.TerminationGracePeriodSeconds, probe.TimeoutSeconds) = (2, 1, 30);
        pod.Spec.Containers[0].LivenessProbe = probe;
        using var client = world.Connect();
        await client.Apply(world.Request(pod));

        // A shell that is process 1 has no ear for SIGTERM.
        var status = await world.WaitForAsync(
            client, "a restart", status => status.ContainerStatuses is [{ RestartCount: > 0, LastState.Terminated: not null }]);

        Assert.Equal(137, status.ContainerStatuses![0].LastState!.Terminated!.ExitCode);
        await ToldAsync(client, "Unhealthy", "Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory");
        await ToldAsync(client, "Killing", "Container main failed liveness probe, will be restarted");
    }

    [ContainerdFact]
    [PodField("spec.containers[].livenessProbe.exec", "spec.containers[].livenessProbe.httpGet.path", "spec.containers[].livenessProbe.httpGet.port",
        "spec.containers[].livenessProbe.tcpSocket", "spec.containers[].livenessProbe.grpc.port")]
    public async Task Probes_OfEveryKindOfHandler_FollowTheContainersAndOutliveTheAgent()
    {
        await using var world = await CellWorld.StartAsync();
        var pod = CellWorld.Pod("sleep 100000", "Always");
        pod.Spec.Containers[0].ReadinessProbe = Every(new Probe { Exec = new ExecAction { Command = ["cat", "/tmp/ready"] }, TimeoutSeconds = 30 });
        pod.Spec.Containers.Add(new Container
        {
            Name = "web",
            Image = TestImages.Busybox,
            Command = ["sh", "-c", "echo hi >/tmp/page; sleep 1; exec httpd -f -p 8080 -h /tmp"],
            Ports = [new ContainerPort { Name = "http", Port = 8080 }],
            StartupProbe = Every(new Probe { TcpSocket = new TcpSocketAction { Port = "http" }, FailureThreshold = 100, TimeoutSeconds = 30 }),
            LivenessProbe = Every(new Probe { TcpSocket = new TcpSocketAction { Port = 8080 }, FailureThreshold = 100, TimeoutSeconds = 30 }),
            ReadinessProbe = Every(new Probe { HttpGet = new HttpGetAction { Path = "/page", Port = "http" }, TimeoutSeconds = 30 }),
        });
        pod.Spec.Containers.Add(new Container
        {
            Name = "slow",
            Image = TestImages.Busybox,
            Command = ["sleep", "100000"],
            ReadinessProbe = Every(new Probe { Exec = new ExecAction { Command = ["sleep", "100"] } }),
        });
        pod.Spec.Containers.Add(new Container
        {
            Name = "deaf",
            Image = TestImages.Busybox,
            Command = ["sleep", "100000"],
            ReadinessProbe = Every(new Probe { HttpGet = new HttpGetAction { Port = 8081 }, TimeoutSeconds = 30 }),
        });
        using var client = world.Connect();
        await client.Apply(world.Request(pod));

        var first = await world.WaitForAsync(
            client, "the web server alone to be ready",
            status => Ready(status) is "web" && status.ContainerStatuses!.TrueForAll(each => each.State?.Running is not null));
        Assert.All(first.ContainerStatuses!, each => Assert.True(each.Started));
        Assert.Equal("containers with unready status: [main slow deaf]", first.Conditions!.Find(each => each.Type == "Ready")!.Message);
        await ToldAsync(client, "Unhealthy", "Readiness probe failed: command timed out: \"sleep 100\" timed out after 1s");
        await ToldAsync(
            client, "Unhealthy",
            $"Readiness probe failed: Get \"http://{world.PodAddress}:8081/\": dial tcp {world.PodAddress}:8081: connect: connection refused");

        await using (var agent = await world.ConnectControllerAsync())
        {
            await RunAsync(agent, ": >/tmp/ready");
            await world.WaitForAsync(client, "the file to be seen", status => Ready(status) is "main web");
        }

        await world.KillAgentAsync();
        await world.StartAgentAsync();
        using var again = world.Connect();
        await using (var agent = await world.ConnectControllerAsync())
        {
            await RunAsync(agent, "busybox rm /tmp/ready");
            var last = await world.WaitForAsync(again, "the file to be missed", status => Ready(status) is "web");
            Assert.Equal(first.ContainerStatuses!.Select(each => each.ContainerID), last.ContainerStatuses!.Select(each => each.ContainerID));
        }
    }

    private static Probe Every(Probe probe)
    {
        probe.PeriodSeconds = 1;
        return probe;
    }

    private static string Ready(PodStatus status) =>
        string.Join(' ', status.ContainerStatuses!.Where(each => each.Ready).Select(each => each.Name).Order(StringComparer.Ordinal));

    /// <summary>An agent that has just begun may not have looked for the container yet.</summary>
    private static Task RunAsync(ICellAgent agent, string script) => CellWorld.WaitAsync($"the agent to run {script}", async () =>
    {
        try
        {
            await using var session = await agent.ExecAsync(
                CellWorld.PodUid, new ExecRequest { Container = "main", Command = ["sh", "-c", script] }, CancellationToken.None);
            Assert.Equal(0, (await RunningPod.ReadAsync(session)).ExitCode);
            return true;
        }
        catch (AgentException e) when (e.Kind == AgentErrorKind.NotFound)
        {
            return false;
        }
    });

    private static async Task ToldAsync(AgentClient client, string reason, string message)
    {
        var others = new HashSet<string>();
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        try
        {
            await foreach (var update in client.Watch(patience.Token))
            {
                if (update.Event is { } happened && happened.Reason == reason)
                {
                    if (happened.Message.TrimEnd('\n') == message)
                    {
                        return;
                    }

                    others.Add(happened.Message);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or Kip.Grpc.RpcException)
        {
            // Told below.
        }

        Assert.Fail($"waited for an event {reason}: {message}; there were: {string.Join(" | ", others)}");
    }
}
