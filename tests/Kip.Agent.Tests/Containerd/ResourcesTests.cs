using Kip.Agent.Tests.Support;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>Resources as the kernel has them, on a real containerd.</summary>
public sealed class ResourcesTests
{
    // As cgroup version 2 writes them; version 1 has a file for each figure.
    private const string Limits = """
        limits() {
            cd /sys/fs/cgroup
            if [ -e cpu.max ]; then echo "$(cat cpu.max) $(cat memory.max)"
            else echo "$(cat cpu/cpu.cfs_quota_us) $(cat cpu/cpu.cfs_period_us) $(cat memory/memory.limit_in_bytes)"; fi
        }

        """;

    [ContainerdFact]
    public async Task Limits_OfAContainer_AreItsCgroups()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod($"{Limits}limits; cat /proc/self/oom_score_adj; [ -e /sys/fs/cgroup/cpu.max ] || cat /sys/fs/cgroup/cpu/cpu.shares");
        pod.Spec.Containers[0].Resources = Resources("500m", "64Mi", "250m", "32Mi");

        var status = await world.RunAsync(client, pod);

        var score = 1000 - (int)(1000.0 * (32 << 20) / GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        var shares = File.Exists("/sys/fs/cgroup/cgroup.controllers") ? "" : "256\n";
        Assert.Equal($"50000 100000 67108864\n{Math.Min(score, 999)}\n{shares}", await client.LogAsync());
        Assert.Equal("Burstable", status.QosClass);
        Assert.Equal(Quantity.Parse("250m"), status.ContainerStatuses![0].AllocatedResources!["cpu"]);
    }

    [ContainerdFact]
    [PodField("spec.resources")]
    public async Task Resources_OfThePod_AreThoseOfTheGroupAboveItsContainers()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("cat /proc/self/cgroup; sleep 100000", "Always");
        pod.Spec.TerminationGracePeriodSeconds = 0;
        pod.Spec.Resources = Resources("500m", "64Mi", "250m", "64Mi");
        await client.Apply(world.Request(pod));
        var status = await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses!.TrueForAll(each => each.Ready));

        // The container's own group, whose parent is the pod's: 4:memory:/a/b and so on for each hierarchy, or 0::/a/b.
        var groups = (await client.LogAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(':', 3)).ToList();
        string Read(string controller, string file, string file2)
        {
            var version1 = groups.Find(group => group[1].Split(',').Contains(controller));
            var group = Path.GetDirectoryName((version1 ?? groups.Single(each => each[1].Length == 0))[2])!.TrimStart('/');
            return File.ReadAllText(version1 is null ? Path.Combine("/sys/fs/cgroup", group, file2) : Path.Combine("/sys/fs/cgroup", controller, group, file)).TrimEnd();
        }

        Assert.Equal("67108864", Read("memory", "memory.limit_in_bytes", "memory.max"));
        Assert.StartsWith("50000", Read("cpu", "cpu.cfs_quota_us", "cpu.max"), StringComparison.Ordinal);
        Assert.Equal("Burstable", status.QosClass);
    }

    [ContainerdFact]
    [PodField("spec.containers[].resizePolicy")]
    [PodField("status.containerStatuses[].allocatedResources")]
    [PodField("status.containerStatuses[].resources")]
    [PodField("status.conditions[].observedGeneration")]
    [PodField("status.observedGeneration")]
    public async Task Resize_OfARunningPod_IsCarriedOutInPlaceOrSaidToBeImpossible()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod($"{Limits}while true; do now=$(limits); [ \"$now\" = \"$last\" ] || echo \"$now\"; last=$now; sleep 0.1; done", "Always");
        pod.Spec.TerminationGracePeriodSeconds = 0;
        pod.Metadata.Generation = 1;
        var (main, other) = (pod.Spec.Containers[0], new Container { Name = "other", Image = TestImages.Busybox, Command = ["sleep", "100000"] });
        other.ResizePolicy = [new ContainerResizePolicy { ResourceName = "cpu", RestartPolicy = "RestartContainer" }];
        pod.Spec.Containers.Add(other);
        (main.Resources, other.Resources) = (Resources("500m", "64Mi", "100m", "16Mi"), Resources("500m", "64Mi", "100m", "16Mi"));
        await client.Apply(world.Request(pod));
        var before = await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses!.TrueForAll(each => each.Ready));

        // In place, over a restart of the agent too.
        main.Resources = Resources("1", "128Mi", "200m", "32Mi");
        await client.Apply(world.Request(pod));
        var larger = await world.WaitForAsync(client, "the larger limits", status => Limit(status, "cpu") == "1");
        Assert.Equal((before.ContainerStatuses![0].ContainerID, 0), (larger.ContainerStatuses![0].ContainerID, larger.ContainerStatuses[0].RestartCount));
        Assert.Equal(("128Mi", "200m"), (Limit(larger, "memory"), $"{larger.ContainerStatuses[0].AllocatedResources!["cpu"]}"));
        await CellWorld.WaitAsync("the limits in the container", async () => (await client.LogAsync()).EndsWith("\n100000 100000 134217728\n", StringComparison.Ordinal));
        Assert.StartsWith("50000 100000 67108864\n", await client.LogAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(larger.Conditions!, each => each.Type.StartsWith("PodResize", StringComparison.Ordinal));

        // Back to no limit, and then to smaller ones than it uses.
        main.Resources = new ResourceRequirements { Requests = new() { ["cpu"] = Quantity.Parse("100m") } };
        await client.Apply(world.Request(pod));
        await CellWorld.WaitAsync("no limit on processors", async () => (await client.LogAsync()).Contains("\n-1 100000 ", StringComparison.Ordinal)
            || (await client.LogAsync()).Contains("\nmax 100000 max", StringComparison.Ordinal));
        main.Resources = Resources("1", "64Ki", "100m", "64Ki");
        await client.Apply(world.Request(pod));
        var tooSmall = await world.WaitForAsync(client, "the complaint", status => Condition(status, "PodResizeInProgress")?.Message is not null);
        Assert.Matches("^attempting to set memory limit \\(65536\\) below current usage \\(\\d+\\)$", Condition(tooSmall, "PodResizeInProgress")!.Message);
        Assert.Equal("InProgress", tooSmall.Resize);

        // More than the machine has: what there was stands, also for an agent that comes after.
        main.Resources = Resources("1000", "64Mi", "1000", "64Mi");
        pod.Metadata.Generation = 2;
        await client.Apply(world.Request(pod));
        var tooLarge = await world.WaitForAsync(client, "the refusal", status => Condition(status, "PodResizePending") is not null);
        Assert.Equal(
            ("Infeasible", $"Node didn't have enough capacity: cpu, requested: 1000100, capacity: {Environment.ProcessorCount}000", 2L),
            (Condition(tooLarge, "PodResizePending")!.Reason, Condition(tooLarge, "PodResizePending")!.Message, Condition(tooLarge, "PodResizePending")!.ObservedGeneration));
        Assert.Null(Condition(tooLarge, "PodResizeInProgress"));
        Assert.Equal(2, tooLarge.ObservedGeneration);
        await world.KillAgentAsync();
        await world.StartAgentAsync();
        using var again = world.Connect();
        var still = await world.WaitForAsync(again, "the adopted pod", status => status.ContainerStatuses!.TrueForAll(each => each.Ready));
        Assert.NotNull(Condition(still, "PodResizePending"));
        Assert.Equal((before.ContainerStatuses[0].ContainerID, 0), (still.ContainerStatuses![0].ContainerID, still.ContainerStatuses[0].RestartCount));

        // By a restart, where the container asks for that.
        main.Resources = Resources("1", "64Mi", "100m", "16Mi");
        other.Resources = Resources("250m", "64Mi", "100m", "16Mi");
        await again.Apply(world.Request(pod));
        var restarted = await world.WaitForAsync(again, "the restart", status => status.ContainerStatuses![1] is { RestartCount: 1, Ready: true } && Limit(status, "cpu") == "1");
        Assert.Equal("250m", $"{restarted.ContainerStatuses![1].Resources!.Limits!["cpu"]}");
        Assert.Equal(0, restarted.ContainerStatuses[0].RestartCount);
        Assert.Null(restarted.Resize);
        await again.Stop(CellWorld.PodUid, 0);
        await world.WaitForAsync(again, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");
    }

    [ContainerdFact]
    [PodField("spec.containers[].resources.limits[hugepages-2Mi]")]
    public async Task HugePages_OfAPod_AreThereForItAndGivenBack()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("grep -o ' /huge hugetlbfs rw' /proc/mounts; busybox fallocate -l 4194304 /huge/f && echo two; busybox fallocate -l 6291456 /huge/f 2>/dev/null || echo 'not three'; cat /pages/free_hugepages");
        pod.Spec.Volumes =
        [
            new Volume { Name = "huge", EmptyDir = new() { Medium = "HugePages" } },
            new Volume { Name = "pages", HostPath = new() { Path = "/sys/kernel/mm/hugepages/hugepages-2048kB" } },
        ];
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "huge", MountPath = "/huge" }, new() { Name = "pages", MountPath = "/pages" }];
        pod.Spec.Containers[0].Resources = Resources("1", "64Mi", "1", "64Mi");
        pod.Spec.Containers[0].Resources!.Limits!["hugepages-2Mi"] = Quantity.Parse("4Mi");
        var before = await world.ShellAsync("cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");

        var status = await world.RunAsync(client, pod);

        Assert.Equal("Succeeded", status.Phase);
        Assert.StartsWith(" /huge hugetlbfs rw\ntwo\n", await client.LogAsync(), StringComparison.Ordinal);
        Assert.Equal(before, await world.ShellAsync("cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"));
    }

    private static PodCondition? Condition(PodStatus status, string type) => status.Conditions!.Find(each => each.Type == type);

    private static string Limit(PodStatus status, string name) =>
        status.ContainerStatuses![0].Resources?.Limits?.TryGetValue(name, out var limit) == true ? $"{limit}" : "";

    private static ResourceRequirements Resources(string cpuLimit, string memoryLimit, string cpu, string memory) => new()
    {
        Limits = new() { ["cpu"] = Quantity.Parse(cpuLimit), ["memory"] = Quantity.Parse(memoryLimit) },
        Requests = new() { ["cpu"] = Quantity.Parse(cpu), ["memory"] = Quantity.Parse(memory) },
    };
}
