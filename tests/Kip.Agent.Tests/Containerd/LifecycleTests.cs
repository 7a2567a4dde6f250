using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Hooks and deadlines on a real containerd.</summary>
public sealed class LifecycleTests
{
    private const string RunUntilTold = "while true; do sleep 0.05; done";

    [ContainerdFact]
    [PodField("spec.containers[].lifecycle.preStop", "spec.containers[].lifecycle.preStop.exec")]
    public async Task PreStop_BeforeTheStop_DoesItsWork()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = Pod($"trap 'cat /shared/said; exit 0' TERM; {RunUntilTold}");
        pod.Spec.Containers[0].Lifecycle = new Lifecycle { PreStop = Shell("sleep 0.5; echo drained > /shared/said") };
        await client.Apply(world.Request(pod));
        await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);

        await client.Stop(CellWorld.PodUid, 40);
        var ended = await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");

        Assert.Equal("Succeeded", ended.Phase);
        Assert.Equal("drained\n", await ReadAsync(client));
    }

    [ContainerdFact]
    [PodField("spec.containers[].lifecycle.postStart", "spec.containers[].lifecycle.postStart.exec")]
    public async Task PostStart_ThatFailsOnce_HasTheContainerStartedAgain()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = Pod($"trap 'exit 7' TERM; {RunUntilTold}");
        pod.Spec.RestartPolicy = "Always";
        pod.Spec.Containers[0].Lifecycle = new Lifecycle
        {
            PostStart = Shell("[ -e /shared/before ] || { echo > /shared/before; exit 1; }; echo greeted > /shared/said"),
        };

        await client.Apply(world.Request(pod));
        var status = await world.WaitForAsync(client, "the second run", status => status.ContainerStatuses![0].Ready);

        var container = Assert.Single(status.ContainerStatuses!);
        Assert.Equal(1, container.RestartCount);
        // 7 if the shell had set its trap when it was told to end.
        Assert.Contains(container.LastState!.Terminated!.ExitCode, (int[])[7, 143, 137]);
        Assert.Equal("greeted", await world.ShellAsync($"cat {world.Directory}/volumes/{CellWorld.PodUid}/volumes/shared/said"));
        await client.Stop(CellWorld.PodUid, 0);
        await world.WaitForAsync(client, "the end of the pod", each => each.Phase is "Succeeded" or "Failed");
    }

    [ContainerdFact]
    [PodField("spec.activeDeadlineSeconds", "status.reason")]
    public async Task Deadline_ThatPasses_FailsThePod()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = Pod($"trap 'exit 0' TERM; {RunUntilTold}");
        pod.Spec.ActiveDeadlineSeconds = 3;

        await client.Apply(world.Request(pod));
        var ended = await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");

        Assert.Equal(("Failed", "DeadlineExceeded"), (ended.Phase, ended.Reason));
    }

    private static Pod Pod(string script)
    {
        var pod = CellWorld.Pod(script);
        pod.Spec.Volumes = [new Volume { Name = "shared", EmptyDir = new EmptyDirVolumeSource() }];
        pod.Spec.Containers[0].VolumeMounts = [new VolumeMount { Name = "shared", MountPath = "/shared" }];
        return pod;
    }

    private static LifecycleHandler Shell(string script) => new() { Exec = new ExecAction { Command = ["sh", "-c", script] } };

    private static async Task<string> ReadAsync(AgentClient client)
    {
        var log = "";
        var request = new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = "main", TailLines = -1 };
        await foreach (var chunk in client.Logs(request, CancellationToken.None))
        {
            log += chunk.Data.ToStringUtf8();
        }

        return log;
    }
}
