using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Restart policies and rules of single containers, and signals that stop them, on a real containerd.</summary>
public sealed class RestartTests
{
    private const string FailOnce = "[ -e /shared/$0 ] && exit 0; echo > /shared/$0; exit 42";

    [ContainerdFact]
    [PodField("spec.containers[].restartPolicy")]
    [PodField("spec.containers[].restartPolicyRules")]
    public async Task Containers_WithPoliciesOfTheirOwn_AreStartedAgainByThem()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("", "Never");
        pod.Spec.Volumes = [new Volume { Name = "shared", EmptyDir = new EmptyDirVolumeSource() }];
        pod.Spec.Containers =
        [
            Container("by-rule", "Never", 42),
            Container("by-policy", "OnFailure"),
            Container("not-by-rule", "Never", 41),
            Container("as-the-pod", null),
        ];

        var status = await world.RunAsync(client, pod);

        Assert.Equal(
            ["by-rule 1 0", "by-policy 1 0", "not-by-rule 0 42", "as-the-pod 0 42"],
            status.ContainerStatuses!.Select(each => $"{each.Name} {each.RestartCount} {each.State!.Terminated!.ExitCode}"));
        Assert.Equal("Failed", status.Phase);
    }

    [ContainerdFact]
    [PodField("spec.containers[].lifecycle.stopSignal")]
    [PodField("status.containerStatuses[].stopSignal")]
    public async Task StopSignal_OfAContainer_IsSentInPlaceOfSigterm()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("trap 'echo USR1; exit 0' USR1; trap 'echo TERM; exit 1' TERM; echo up; while true; do sleep 0.05; done");
        pod.Spec.Containers[0].Lifecycle = new Lifecycle { StopSignal = "SIGUSR1" };
        await client.Apply(world.Request(pod));
        var running = await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);
        await CellWorld.WaitAsync("the traps to be set", async () => await client.LogAsync() == "up\n");

        await client.Stop(CellWorld.PodUid, 60);
        var ended = await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");

        Assert.Equal("SIGUSR1", running.ContainerStatuses![0].StopSignal);
        Assert.Equal("Succeeded", ended.Phase);
        Assert.Equal("up\nUSR1\n", await client.LogAsync());
    }

    private static Container Container(string name, string? policy, params int[] codes) => new()
    {
        Name = name,
        Image = TestImages.Busybox,
        Command = ["sh", "-c", FailOnce, name],
        RestartPolicy = policy,
        RestartPolicyRules = codes.Length == 0
            ? null
            : [new ContainerRestartRule { Action = "Restart", ExitCodes = new ContainerRestartRuleOnExitCodes { Operator = "In", Values = [.. codes] } }],
        VolumeMounts = [new VolumeMount { Name = "shared", MountPath = "/shared" }],
    };
}
