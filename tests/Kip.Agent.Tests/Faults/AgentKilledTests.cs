using System.Net;
using System.Net.Sockets;
using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Faults;

/// <summary>The agent is killed in each phase of a pod's life and started again: containers are unharmed, and what was begun goes on.</summary>
public sealed class AgentKilledTests
{
    private const string RunUntilTold = "trap 'exit 5' TERM; while true; do sleep 0.05; done";

    [ContainerdFact]
    public async Task Pulling_GoesOnInTheSameSandbox()
    {
        await using var world = await CellWorld.StartAsync();
        using var registry = new TcpListener(IPAddress.Any, 0);
        registry.Start();
        var pod = CellWorld.Pod("true");
        pod.Spec.Containers[0].Image = $"{world.HostAddress}:{((IPEndPoint)registry.LocalEndpoint).Port}/slow:1";
        using (var client = world.Connect())
        {
            await client.Apply(world.Request(pod));
            using var first = await AcceptAsync(registry, "the first pull");
            var sandbox = await ContainersAsync(world);
            Assert.Single(sandbox.Split('\n'));

            await RestartAsync(world);

            using var again = world.Connect();
            using var second = await AcceptAsync(registry, "the pull that follows");
            Assert.Equal(sandbox, await ContainersAsync(world));
            registry.Stop();
            first.Close();
            second.Close();
            await world.WaitForAsync(again, "the failure of the pull", static status => status.ContainerStatuses is [{ State.Waiting.Reason: "ErrImagePull" or "ImagePullBackOff" }]);
            Assert.Equal(sandbox, await ContainersAsync(world));
        }
    }

    [ContainerdFact]
    public async Task InitContainer_RunsOnce()
    {
        await using var world = await CellWorld.StartAsync();
        var pod = Shared("cat /shared/runs");
        pod.Spec.InitContainers = [new Container { Name = "init", Image = TestImages.Busybox, Command = ["sh", "-c", "echo run >>/shared/runs; until [ -e /shared/go ]; do sleep 0.05; done"], VolumeMounts = pod.Spec.Containers[0].VolumeMounts }];
        using (var client = world.Connect())
        {
            await client.Apply(world.Request(pod));
            await world.WaitForAsync(client, "the init container to run", static status => status.InitContainerStatuses is [{ State.Running: not null }]);
        }

        var before = await ContainersAsync(world);
        await RestartAsync(world);
        using var again = world.Connect();
        await world.WaitForAsync(again, "the init container", static status => status.InitContainerStatuses is [{ State.Running: not null }]);
        Assert.Equal(before, await ContainersAsync(world));
        await world.ShellAsync($"touch {SharedFolder(world)}/go");
        var ended = await EndAsync(world, again);

        Assert.Equal(("Succeeded", 0), (ended.Phase, ended.InitContainerStatuses![0].RestartCount));
        Assert.Equal("run", await world.ShellAsync($"cat {LogOf(world, "main")} | cut -d ' ' -f 4-"));
    }

    [ContainerdFact]
    public async Task PostStart_EndsAndTheContainerIsTheSame()
    {
        await using var world = await CellWorld.StartAsync();
        var pod = Shared(RunUntilTold);
        pod.Spec.Containers[0].Lifecycle = new Lifecycle
        {
            PostStart = new LifecycleHandler { Exec = new ExecAction { Command = ["sh", "-c", "echo begun >>/shared/hook; until [ -e /shared/go ]; do sleep 0.05; done"] } },
        };
        using (var client = world.Connect())
        {
            await client.Apply(world.Request(pod));
            await CellWorld.WaitAsync("the hook to begin", async () => await world.ShellAsync($"cat {SharedFolder(world)}/hook 2>/dev/null") == "begun");
        }

        var before = await ContainersAsync(world);
        await RestartAsync(world);
        using var again = world.Connect();
        await world.ShellAsync($"touch {SharedFolder(world)}/go");
        var ready = await world.WaitForAsync(again, "the container to be ready", static status => status.ContainerStatuses is [{ Ready: true }]);

        Assert.Equal(0, ready.ContainerStatuses![0].RestartCount);
        Assert.Equal(before, await ContainersAsync(world));
        await again.Stop(CellWorld.PodUid, 10);
        Assert.Equal(5, (await EndAsync(world, again)).ContainerStatuses![0].State!.Terminated!.ExitCode);
    }

    [ContainerdFact]
    public async Task BackOff_IsWaitedForToItsEnd()
    {
        await using var world = await CellWorld.StartAsync();
        using (var client = world.Connect())
        {
            await client.Apply(world.Request(CellWorld.Pod("exit 1", "Always")));
            await world.WaitForAsync(client, "the back-off", static status => status.ContainerStatuses is [{ State.Waiting.Reason: "CrashLoopBackOff" }]);
        }

        await RestartAsync(world);
        using var again = world.Connect();
        var waiting = await world.WaitForAsync(again, "the same back-off", static status => status.ContainerStatuses is [{ State.Waiting.Reason: "CrashLoopBackOff" }]);
        Assert.StartsWith("back-off 10s restarting failed container", waiting.ContainerStatuses![0].State!.Waiting!.Message, StringComparison.Ordinal);
        var first = waiting.ContainerStatuses[0].LastState!.Terminated!;
        // The first restart is at once, as the kubelet's is: this one is the second.
        Assert.Equal(1, waiting.ContainerStatuses[0].RestartCount);
        var second = await world.WaitForAsync(again, "the run after it", static status => status.ContainerStatuses is [{ RestartCount: 2, State.Waiting: not null }]);

        var pause = second.ContainerStatuses![0].LastState!.Terminated!.StartedAt!.Value - first.FinishedAt!.Value;
        Assert.InRange(pause, TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(20));
        Assert.StartsWith("back-off 20s restarting failed container", second.ContainerStatuses[0].State!.Waiting!.Message, StringComparison.Ordinal);
    }

    [ContainerdFact]
    public async Task Stopping_GoesOnWithTheContainersOwnEnd()
    {
        await using var world = await CellWorld.StartAsync();
        using (var client = world.Connect())
        {
            await client.Apply(world.Request(Shared("trap 'echo >/shared/told; until [ -e /shared/go ]; do sleep 0.05; done; exit 7' TERM; while true; do sleep 0.05; done")));
            await world.WaitForAsync(client, "the container to run", static status => status.ContainerStatuses is [{ Ready: true }]);
            await client.Stop(CellWorld.PodUid, 60);
            await CellWorld.WaitAsync("the container to be told", async () => await world.ShellAsync($"ls {SharedFolder(world)}") == "told");
        }

        await RestartAsync(world);
        using var again = world.Connect();
        await world.ShellAsync($"touch {SharedFolder(world)}/go");
        var ended = await EndAsync(world, again);

        Assert.Equal(("Failed", 7), (ended.Phase, ended.ContainerStatuses![0].State!.Terminated!.ExitCode));
    }

    private static string SharedFolder(CellWorld world) => $"{world.Directory}/volumes/{CellWorld.PodUid}/volumes/shared";

    private static string LogOf(CellWorld world, string container) => $"{world.LogDirectory}/*/{container}/0.log";

    private static Pod Shared(string script)
    {
        var pod = CellWorld.Pod(script);
        pod.Spec.Volumes = [new Volume { Name = "shared", EmptyDir = new EmptyDirVolumeSource() }];
        pod.Spec.Containers[0].VolumeMounts = [new VolumeMount { Name = "shared", MountPath = "/shared" }];
        return pod;
    }

    private static async Task RestartAsync(CellWorld world)
    {
        await world.KillAgentAsync();
        await world.StartAgentAsync();
    }

    /// <summary>Identifiers of all containers that containerd has, sandboxes among them, one a line.</summary>
    private static Task<string> ContainersAsync(CellWorld world) => world.ShellAsync($"ctr -a {world.Directory}/containerd.sock -n k8s.io containers ls -q | sort");

    private static async Task<TcpClient> AcceptAsync(TcpListener registry, string what)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        try
        {
            return await registry.AcceptTcpClientAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"waited for {what}");
        }
    }

    private static Task<PodStatus> EndAsync(CellWorld world, AgentClient client) =>
        world.WaitForAsync(client, "the end of the pod", static status => status.Phase is "Succeeded" or "Failed");
}
