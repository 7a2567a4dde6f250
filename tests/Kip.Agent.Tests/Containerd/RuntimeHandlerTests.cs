using Kip.Agent.Tests.Support;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Runtime classes and GPUs, with a stand-in for NVIDIA's runtime behind a real containerd.</summary>
public sealed class RuntimeHandlerTests
{
    [ContainerdFact]
    [PodField("spec.containers[].resources.limits[nvidia.com/gpu]")]
    public async Task Gpus_OfContainers_AreTheirsByNvidiasRuntime()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("");
        pod.Spec.InitContainers = [Container("init", 1)];
        pod.Spec.Containers = [Container("two", 2), Container("none", 0), Container("one", 1)];

        var status = await world.RunAsync(client, pod);

        Assert.Equal("Succeeded", status.Phase);
        Assert.Equal(
            ["0\n", "0,1\n", "void\n", "2\n"],
            [await client.LogAsync("init"), await client.LogAsync("two"), await client.LogAsync("none"), await client.LogAsync("one")]);
        var calls = await File.ReadAllLinesAsync($"{world.FakeNvidiaRuntime}.calls");
        Assert.Equal(5, calls.Count(call => call.Contains(" create ", StringComparison.Ordinal))); // the sandbox and four containers
    }

    [ContainerdFact]
    [PodField("spec.runtimeClassName")]
    public async Task RuntimeClass_WithAHandler_RunsThePodWithThat()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("echo ${NVIDIA_VISIBLE_DEVICES-unset}");
        pod.Spec.RuntimeClassName = "accelerated";
        var request = world.Request(pod);
        request.RuntimeHandler = "nvidia";

        await client.Apply(request);
        await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded");

        Assert.Equal("unset\n", await client.LogAsync());
        Assert.True(File.Exists($"{world.FakeNvidiaRuntime}.calls"));
    }

    [ContainerdFact]
    public async Task RuntimeClass_WhoseHandlerTheCellHasNot_WaitsAndSaysSo()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("true");
        pod.Spec.RuntimeClassName = "kata";
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);

        await client.Apply(world.Request(pod));
        await foreach (var update in client.Watch(patience.Token))
        {
            if (update.Event is { Reason: "FailedCreatePodSandBox" } failure)
            {
                Assert.Contains("no runtime for \"kata\" is configured", failure.Message, StringComparison.Ordinal);
                break;
            }
        }

        await client.Stop(CellWorld.PodUid, 0);
        await world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");
    }

    private static Container Container(string name, int gpus) => new()
    {
        Name = name,
        Image = TestImages.Busybox,
        Command = ["sh", "-c", "echo ${NVIDIA_VISIBLE_DEVICES-unset}"],
        Resources = gpus == 0 ? null : new ResourceRequirements { Limits = new() { ["nvidia.com/gpu"] = Quantity.FromInt64(gpus) } },
    };
}
