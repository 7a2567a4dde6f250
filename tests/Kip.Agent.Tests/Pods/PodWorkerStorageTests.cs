using Kip.Agent.Tests.Support;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

/// <summary>What the pod worker does about limits on the disk.</summary>
public sealed class PodWorkerStorageTests
{
    private const int Mebi = 1 << 20;

    [RootFact]
    public async Task EmptyDir_FilledBeyondItsLimit_EvictsThePod()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WithVolume("1Mi"));
        await harness.UntilAsync("Running", static status => status.Phase == "Running");
        var file = Path.Combine(harness.VolumeDirectory, "data", "file");

        await File.WriteAllBytesAsync(file, new byte[Mebi / 2]);
        await AdvanceAsync(harness, seconds: 30);
        Assert.True(harness.Runtime.IsRunning("main"));
        await File.WriteAllBytesAsync(file, new byte[2 * Mebi]);
        await harness.AdvanceUntilAsync("the stop", () => !harness.Runtime.IsRunning("main"));

        const string message = "Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\". ";
        var ended = await harness.UntilAsync("the end", static status => status.Phase == "Failed");
        Assert.Equal(("Evicted", message), (ended.Reason, ended.Message));
        Assert.Contains("stop main 0 0s", harness.Runtime.CallList());
        Assert.Single(harness.Events, static each => each is { Type: "Warning", Reason: "Evicted", Message: message });
    }

    [RootFact]
    public async Task EmptyDir_WithFileOfHoles_IsNotFull()
    {
        await using var harness = new WorkerHarness();
        await harness.ApplyAsync(WithVolume("1Mi"));
        await harness.UntilAsync("Running", static status => status.Phase == "Running");

        await using (var file = File.Create(Path.Combine(harness.VolumeDirectory, "data", "file")))
        {
            file.SetLength(100L * Mebi);
        }

        await AdvanceAsync(harness, seconds: 30);
        Assert.True(harness.Runtime.IsRunning("main"));
    }

    [Fact]
    public async Task Container_ThatWritesBeyondItsLimit_EvictsThePod()
    {
        await using var harness = new WorkerHarness();
        var pod = WorkerHarness.Pod("Always", Limited("main", "10Mi"), Limited("other", "90Mi"));
        harness.Runtime.Written = static name => name == "main" ? 11 * Mebi : Mebi;

        await harness.ApplyAsync(pod);
        var ended = await EndAsync(harness);

        Assert.Equal(("Evicted", "Container main exceeded its local ephemeral storage limit \"10Mi\". "), (ended.Reason, ended.Message));
    }

    [Fact]
    public async Task Pod_WhoseContainersWriteBeyondTheirLimitsTogether_IsEvicted()
    {
        await using var harness = new WorkerHarness();
        var pod = WorkerHarness.Pod("Always", Limited("main", "10Mi"), Limited("other", "10Mi"));
        harness.Runtime.Written = static _ => 11 * Mebi;

        await harness.ApplyAsync(pod);
        var ended = await EndAsync(harness);

        Assert.Equal(("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. "), (ended.Reason, ended.Message));
    }

    [Fact]
    public async Task Container_WithoutLimit_MayWriteAsItLikes()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.Written = static _ => 1000L * Mebi;
        await harness.ApplyAsync(WorkerHarness.Pod("Always", WorkerHarness.Container()));
        await harness.UntilAsync("Running", static status => status.Phase == "Running");

        await AdvanceAsync(harness, seconds: 30);

        Assert.True(harness.Runtime.IsRunning("main"));
    }

    private static Pod WithVolume(string limit)
    {
        var pod = WorkerHarness.Pod("Always", WorkerHarness.Container());
        pod.Spec.Volumes = [new Volume { Name = "data", EmptyDir = new EmptyDirVolumeSource { SizeLimit = Quantity.Parse(limit) } }];
        pod.Spec.Containers[0].VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }];
        return pod;
    }

    private static Container Limited(string name, string limit)
    {
        var container = WorkerHarness.Container(name);
        container.Resources = new ResourceRequirements { Limits = new Dictionary<string, Quantity> { ["ephemeral-storage"] = Quantity.Parse(limit) } };
        return container;
    }

    private static async Task AdvanceAsync(WorkerHarness harness, int seconds)
    {
        var until = harness.Time.GetUtcNow().AddSeconds(seconds);
        await harness.AdvanceUntilAsync("the time", () => harness.Time.GetUtcNow() >= until);
    }

    private static async Task<PodStatus> EndAsync(WorkerHarness harness)
    {
        PodStatus? ended = null;
        await harness.AdvanceUntilAsync("the stop", () => harness.Events.Any(static each => each.Reason == "Evicted"));
        ended = await harness.UntilAsync("the end", static status => status.Phase == "Failed");
        return ended;
    }
}
