using Google.Protobuf;
using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Faults;

/// <summary>As long and as many as the API allows, and a cell that has no room left.</summary>
public sealed class LimitsTests
{
    [ContainerdFact]
    public async Task Names_AtTheirLongest_Run()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var label = new string('a', 63);
        var pod = CellWorld.Pod("hostname; cat /v/labels; echo $NAME");
        pod.Metadata.Name = string.Join('.', label, label, label, new string('b', 61)); // 253
        pod.Metadata.Namespace = new string('n', 63);
        pod.Metadata.Labels = new() { [$"{string.Join('.', label, label, label, new string('c', 61))}/{label}"] = label };
        pod.Metadata.Annotations = new() { ["large"] = new string('x', 255 << 10) }; // 256 KiB in all
        pod.Spec.Volumes = [new Volume { Name = label, DownwardAPI = new() { Items = [new() { Path = "labels", FieldRef = new() { FieldPath = "metadata.labels" } }] } }];
        pod.Spec.Containers[0].Name = label;
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = label, MountPath = "/v" }];
        pod.Spec.Containers[0].Env = [new EnvVar { Name = "NAME", ValueFrom = new EnvVarSource { FieldRef = new ObjectFieldSelector { FieldPath = "metadata.name" } } }];

        await client.Apply(world.Request(pod));
        var ended = await EndAsync(world, client);

        Assert.Equal("Succeeded", ended.Phase);
        // The kernel takes 64 characters; the kubelet cuts at 63 and takes no dash or dot at the end.
        var log = await ReadAsync(client, label);
        Assert.Equal([label, $"{pod.Metadata.Labels.Keys.Single()}=\"{label}\"" + pod.Metadata.Name], log.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [ContainerdFact]
    [PodField("spec.volumes[].configMap.name")]
    public async Task ConfigMap_OfTenThousandFiles_IsThereAndChangesAsOne()
    {
        const int files = 10_000;
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("""
            cd /v; ls | wc -l; cat * | grep -c old
            until grep -q new f00000; do sleep 0.05; done
            cat * | grep -c new
            """);
        pod.Spec.Volumes = [new Volume { Name = "v", ConfigMap = new() { Name = "c" } }];
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "v", MountPath = "/v" }];

        await client.Apply(Contents(world, pod, files, "old\n"));
        await CellWorld.WaitAsync("the first contents to be read", async () => (await ReadAsync(client, "main")).Split('\n').Length == 3);
        await client.Apply(Contents(world, pod, files, "new\n"));
        var ended = await EndAsync(world, client);

        Assert.Equal("Succeeded", ended.Phase);
        Assert.Equal($"{files}\n{files}\n{files}\n", await ReadAsync(client, "main"));
    }

    [ContainerdFact]
    [PodField("spec.volumes[].secret.secretName")]
    public async Task Secret_OfOneMebibyte_IsWhole()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("cat /v/key | wc -c; grep ' /v ' /proc/mounts | cut -d ' ' -f 3");
        pod.Spec.Volumes = [new Volume { Name = "v", Secret = new() { SecretName = "s" } }];
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "v", MountPath = "/v" }];
        var request = world.Request(pod);
        request.Volumes.Add(new ResolvedVolume { Name = "v", Files = { new ResolvedFile { Path = "key", Data = ByteString.CopyFrom(new byte[1 << 20]), Mode = 0b110_000_000 } } });

        await client.Apply(request);
        await EndAsync(world, client);

        Assert.Equal($"{1 << 20}\ntmpfs\n", await ReadAsync(client, "main"));
    }

    [ContainerdTheory]
    [InlineData("dd if=/dev/zero of=$state/fill bs=4096 2>/dev/null; true")]
    [InlineData("i=0; while : >$state/fill$i; do i=$((i+1)); done 2>/dev/null; true")]
    public async Task Agent_WithoutRoomForItsState_FollowsThePodToItsEnd(string fill)
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        await world.ShellAsync(
            $"state={world.Directory}/state; cp -a $state $state.before && mount -t tmpfs -o size=512k,nr_inodes=100 tmpfs $state && cp -a $state.before/. $state");
        await client.Apply(world.Request(CellWorld.Pod("echo up; until [ -e /go ]; do sleep 0.05; done; exit 3")));
        var running = await world.WaitForAsync(client, "the pod to run", static status => status.ContainerStatuses is [{ Ready: true }]);
        await world.ShellAsync(fill);

        await world.ShellAsync($"ctr -a {world.Directory}/containerd.sock -n k8s.io task exec --exec-id go {running.ContainerStatuses![0].ContainerID!["containerd://".Length..]} busybox touch /go </dev/null");
        var ended = await EndAsync(world, client);
        Assert.Equal(("Failed", 3), (ended.Phase, ended.ContainerStatuses![0].State!.Terminated!.ExitCode));

        // Killed before it could write that down, it finds it again.
        await world.KillAgentAsync();
        await world.StartAgentAsync();
        using var again = world.Connect();
        ended = await EndAsync(world, again);
        Assert.Equal(("Failed", 3), (ended.Phase, ended.ContainerStatuses![0].State!.Terminated!.ExitCode));
        await world.ShellAsync("umount $state");
    }

    [ContainerdFact]
    [PodField("spec.volumes[].hostPath.path")]
    public async Task HostPath_ThatVanishes_IsSaidAndFoundAgain()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var source = $"{world.Directory}/source";
        await world.ShellAsync($"mkdir {source} && echo first >{source}/file");
        var pod = CellWorld.Pod("cat /v/file; until [ -e /v/end ]; do sleep 0.05; done; exit 1", "OnFailure");
        pod.Spec.Volumes = [new Volume { Name = "v", HostPath = new() { Path = source, Type = "Directory" } }];
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "v", MountPath = "/v" }];
        await client.Apply(world.Request(pod));
        await world.WaitForAsync(client, "the first run", static status => status.ContainerStatuses is [{ Ready: true }]);

        // The running container keeps what it has; the next run needs it anew.
        await world.ShellAsync($"mv {source} {source}.away && touch {source}.away/end");
        var waiting = await world.WaitForAsync(
            client, "word of the missing source", static status => status.ContainerStatuses is [{ State.Waiting.Reason: "CreateContainerConfigError" or "CreateContainerError" }]);
        Assert.Contains(source, waiting.ContainerStatuses![0].State!.Waiting!.Message, StringComparison.Ordinal);
        Assert.Equal("gone", await world.ShellAsync($"[ -e {source} ] || echo gone"));
        await world.ShellAsync($"rm {source}.away/end && echo second >{source}.away/file && mv {source}.away {source}");
        await world.WaitForAsync(client, "the second run", static status => status.ContainerStatuses is [{ Ready: true, RestartCount: > 0 }]);
        await client.Stop(CellWorld.PodUid, 0);
        await EndAsync(world, client);
    }

    private static ApplyPodRequest Contents(CellWorld world, Pod pod, int files, string text)
    {
        var request = world.Request(pod);
        var data = ByteString.CopyFromUtf8(text);
        request.Volumes.Add(new ResolvedVolume { Name = "v", Files = { Enumerable.Range(0, files).Select(i => new ResolvedFile { Path = $"f{i:D5}", Data = data, Mode = 0b110_100_100 }) } });
        return request;
    }

    private static Task<PodStatus> EndAsync(CellWorld world, AgentClient client) =>
        world.WaitForAsync(client, "the end of the pod", static status => status.Phase is "Succeeded" or "Failed");

    private static async Task<string> ReadAsync(AgentClient client, string container)
    {
        var text = new System.Text.StringBuilder();
        try
        {
            await foreach (var chunk in client.Logs(new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = container, TailLines = -1 }, CancellationToken.None))
            {
                text.Append(chunk.Data.ToStringUtf8());
            }
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
        {
            // It has not started.
        }

        return text.ToString();
    }
}
