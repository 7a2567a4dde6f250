using System.Text;
using Google.Protobuf;
using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Volumes;

/// <summary>Volumes as containers on a real containerd see them.</summary>
public sealed class PodVolumesTests
{
    private const int Public = 0b110_100_100;
    private const int Secret = 0b110_000_000;

    [ContainerdFact]
    [PodField("spec.securityContext.runAsUser", "spec.securityContext.fsGroup", "spec.volumes[].emptyDir", "spec.volumes[].emptyDir.medium",
        "spec.volumes[].emptyDir.sizeLimit", "spec.volumes[].downwardAPI.items[].fieldRef", "spec.volumes[].downwardAPI.items[].resourceFieldRef",
        "spec.volumes[].hostPath.path", "spec.volumes[].projected.sources[].downwardAPI", "spec.containers[].volumeMounts[].mountPath",
        "spec.containers[].volumeMounts[].readOnly")]
    public async Task Pod_WithVolumesOfEveryKind_SeesThem()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("""
            cd /v
            for f in config/a config/sub/script secret/key all/token all/uid down/labels down/cpu down/memory; do
                echo "$f: $(cat $f | head -n 1)"
            done
            /v/config/sub/script
            busybox stat -c '%n %a %u %g' config/..data/a secret/..data/key all/..data/token disk memory
            for v in config secret all down memory; do grep -q " /v/$v tmpfs " /proc/mounts && echo "$v is in memory"; done
            grep -q " /v/disk tmpfs " /proc/mounts || echo "disk is not"
            for v in config secret all down readonly; do { echo x >$v/x; } 2>/dev/null || echo "$v is read-only"; done
            echo x >disk/x && echo x >memory/x && cat disk/x
            dd if=/dev/zero of=memory/big bs=1024 count=2048 2>&1 | grep -q 'No space' && echo "memory is limited"
            cat host/hello
            """);
        pod.Metadata.Labels = new() { ["b"] = "2", ["a"] = "with \"quotes\"" };
        pod.Spec.SecurityContext = new PodSecurityContext { RunAsUser = 1000, FsGroup = 2000 };
        pod.Spec.Volumes =
        [
            new Volume { Name = "disk", EmptyDir = new() },
            new Volume { Name = "memory", EmptyDir = new() { Medium = "Memory", SizeLimit = Quantity.Parse("1Mi") } },
            new Volume { Name = "config", ConfigMap = new() { Name = "c" } },
            new Volume { Name = "secret", Secret = new() { SecretName = "s" } },
            new Volume
            {
                Name = "all",
                Projected = new()
                {
                    Sources = [new() { DownwardAPI = new() { Items = [new() { Path = "uid", FieldRef = new() { FieldPath = "metadata.uid" } }] } }],
                },
            },
            new Volume
            {
                Name = "down",
                DownwardAPI = new()
                {
                    Items =
                    [
                        new() { Path = "labels", FieldRef = new() { FieldPath = "metadata.labels" } },
                        new() { Path = "cpu", ResourceFieldRef = new() { ContainerName = "main", Resource = "limits.cpu" } },
                        new() { Path = "memory", ResourceFieldRef = new() { ContainerName = "main", Resource = "requests.memory", Divisor = Quantity.Parse("1Ki") } },
                    ],
                },
            },
            new Volume { Name = "host", HostPath = new() { Path = $"{world.Directory}/host", Type = "Directory" } },
        ];
        pod.Spec.Containers[0].Resources = new ResourceRequirements { Requests = new() { ["memory"] = Quantity.Parse("1M") } };
        pod.Spec.Containers[0].VolumeMounts =
        [
            .. pod.Spec.Volumes.Select(volume => new VolumeMount { Name = volume.Name, MountPath = $"/v/{volume.Name}" }),
            new VolumeMount { Name = "disk", MountPath = "/v/readonly", ReadOnly = true },
        ];
        await world.ShellAsync($"mkdir {world.Directory}/host && echo from the cell >{world.Directory}/host/hello");

        await client.Apply(Request(
            world,
            pod,
            Contents("config", File("a", "alpha"), File("sub/script", "#!/bin/sh\necho ran", 0b111_101_101)),
            Contents("secret", File("key", "hidden", Secret)),
            Contents("all", File("token", "t", Secret, owner: 1000))));
        var status = await EndAsync(world, client);

        var log = await ReadAsync(client);
        Assert.Equal(
            $"""
            config/a: alpha
            config/sub/script: #!/bin/sh
            secret/key: hidden
            all/token: t
            all/uid: {CellWorld.PodUid}
            down/labels: a="with \"quotes\""
            down/cpu: {Environment.ProcessorCount}
            down/memory: 977
            ran
            config/..data/a 644 0 2000
            secret/..data/key 640 0 2000
            all/..data/token 640 1000 2000
            disk 2777 0 2000
            memory 2777 0 2000
            config is in memory
            secret is in memory
            all is in memory
            down is in memory
            memory is in memory
            disk is not
            config is read-only
            secret is read-only
            all is read-only
            down is read-only
            readonly is read-only
            x
            memory is limited
            from the cell

            """,
            log);
        Assert.Equal("Succeeded", status.Phase);
        Assert.Equal("", await MountsAsync(world));
        Assert.Equal("none", await world.ShellAsync($"grep -rlE 'hidden|alpha' {world.Directory}/state {world.Directory}/volumes {world.Directory}/agent.log || echo none"));
    }

    [ContainerdFact]
    [PodField("spec.volumes[].secret.secretName")]
    public async Task Contents_GivenAgain_ChangeAsOneWithoutARestart()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("""
            cat /v/a /v/gone /sub
            until grep -q new /v/a; do sleep 0.05; done
            cat /v/a /v/added /sub; ls /v; cat /labels/labels
            """);
        pod.Metadata.Labels = new() { ["version"] = "old" };
        pod.Spec.Volumes =
        [
            new Volume { Name = "v", Secret = new() { SecretName = "s" } },
            new Volume { Name = "labels", DownwardAPI = new() { Items = [new() { Path = "labels", FieldRef = new() { FieldPath = "metadata.labels" } }] } },
        ];
        pod.Spec.Containers[0].VolumeMounts =
        [
            new() { Name = "v", MountPath = "/v" }, new() { Name = "v", MountPath = "/sub", SubPath = "a" }, new() { Name = "labels", MountPath = "/labels" },
        ];

        await client.Apply(Request(world, pod, Contents("v", File("a", "old\n"), File("gone", "old too\n"))));
        await CellWorld.WaitAsync("the old contents in the log", async () => (await ReadAsync(client)).EndsWith("old\nold too\nold\n", StringComparison.Ordinal));
        pod.Metadata.Labels["version"] = "new";
        await client.Apply(Request(world, pod, Contents("v", File("a", "new\n"), File("added", "new too\n"))));
        var status = await EndAsync(world, client);

        // Labels are another volume: which of the two changes first is not said.
        Assert.StartsWith("old\nold too\nold\nnew\nnew too\nold\na\nadded\nversion=", await ReadAsync(client), StringComparison.Ordinal);
        Assert.Equal(("Succeeded", 0), (status.Phase, status.ContainerStatuses![0].RestartCount));
    }

    [ContainerdFact]
    public async Task Contents_OfManyLargeObjects_Arrive()
    {
        const int objects = 60;
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("cat /v/* | busybox wc -c");
        pod.Spec.Volumes = [new Volume { Name = "v", Projected = new() }];
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "v", MountPath = "/v" }];
        var large = new string('x', 1 << 20);

        await client.Apply(Request(world, pod, Contents("v", [.. Enumerable.Range(0, objects).Select(i => File($"f{i}", large))])));
        await EndAsync(world, client);

        Assert.Equal($"{objects << 20}\n", await ReadAsync(client));
        var tooMuch = Contents("v", [.. Enumerable.Range(0, objects + 5).Select(i => File($"f{i}", large))]);
        var error = await Assert.ThrowsAsync<RpcException>(() => client.Apply(Request(world, pod, tooMuch)));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
    }

    [ContainerdFact]
    [PodField("spec.containers[].volumeMounts[].subPath", "spec.containers[].volumeMounts[].subPathExpr", "spec.initContainers",
        "status.containerStatuses[].state.waiting.reason", "status.containerStatuses[].state.waiting.message")]
    public async Task SubPath_ThroughLinksOfAContainer_NeverLeavesTheVolume()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("cat /in/file; cat /key; ls /made; while true; do sleep 1; done");
        pod.Spec.Volumes = [new Volume { Name = "v", EmptyDir = new() }, new Volume { Name = "c", ConfigMap = new() { Name = "c" } }];
        pod.Spec.InitContainers =
        [
            new Container
            {
                Name = "evil",
                Image = TestImages.Busybox,
                Command = ["sh", "-c", "cd /v; mkdir real; echo inside >real/file; busybox ln -s real in; busybox ln -s / root; busybox ln -s ../../.. up"],
                VolumeMounts = [new() { Name = "v", MountPath = "/v" }],
            },
        ];
        pod.Spec.Containers[0].Env = [new EnvVar { Name = "NAME", Value = "made" }];
        pod.Spec.Containers[0].VolumeMounts =
        [
            new() { Name = "v", MountPath = "/in", SubPath = "in" },
            new() { Name = "v", MountPath = "/made", SubPathExpr = "$(NAME)/$(NAME)" },
            new() { Name = "c", MountPath = "/key", SubPath = "key" },
        ];
        pod.Spec.Containers.Add(Other("root", new() { Name = "v", MountPath = "/x", SubPath = "root/etc" }));
        pod.Spec.Containers.Add(Other("up", new() { Name = "v", MountPath = "/x", SubPath = "up" }));
        pod.Spec.Containers.Add(Other("nobody", new() { Name = "v", MountPath = "/x", SubPathExpr = "$(NOBODY)" }));

        await client.Apply(Request(world, pod, Contents("c", File("key", "value\n"))));
        var status = await world.WaitForAsync(client, "one container to run and three to be refused", each =>
            each.ContainerStatuses is { Count: 4 } all && all[0].Ready && all.Skip(1).All(one => one.State?.Waiting?.Reason == "CreateContainerConfigError"));

        Assert.Contains("leads out of the volume", status.ContainerStatuses![1].State!.Waiting!.Message, StringComparison.Ordinal);
        Assert.Contains("leads out of the volume", status.ContainerStatuses[2].State!.Waiting!.Message, StringComparison.Ordinal);
        Assert.Contains("a variable that the container does not have", status.ContainerStatuses[3].State!.Waiting!.Message, StringComparison.Ordinal);
        await CellWorld.WaitAsync("the log", async () => await ReadAsync(client) == "inside\nvalue\n");
        await client.Stop(CellWorld.PodUid, 0);
        await EndAsync(world, client);
        Assert.Equal("", await MountsAsync(world));

        static Container Other(string name, VolumeMount mount) =>
            new() { Name = name, Image = TestImages.Busybox, Command = ["true"], VolumeMounts = [mount] };
    }

    [ContainerdFact]
    public async Task Agent_KilledMidPod_KeepsContentsAndUnmountsAtTheEnd()
    {
        await using var world = await CellWorld.StartAsync();
        var pod = CellWorld.Pod("until grep -q new /v/a; do sleep 0.05; done; cat /v/a; while true; do sleep 1; done");
        pod.Spec.Volumes = [new Volume { Name = "v", Secret = new() { SecretName = "s" } }, new Volume { Name = "m", EmptyDir = new() { Medium = "Memory" } }];
        pod.Spec.Containers[0].VolumeMounts =
            [new() { Name = "v", MountPath = "/v" }, new() { Name = "m", MountPath = "/m" }, new() { Name = "v", MountPath = "/a", SubPath = "a" }];
        using (var client = world.Connect())
        {
            await client.Apply(Request(world, pod, Contents("v", File("a", "old\n"))));
            await world.WaitForAsync(client, "the pod to run", status => status.ContainerStatuses![0].Ready);
        }

        var before = await MountsAsync(world);
        await world.KillAgentAsync();
        await world.StartAgentAsync();
        using var again = world.Connect();
        await world.WaitForAsync(again, "the adopted pod", status => status.ContainerStatuses![0].Ready);
        Assert.Equal(before, await MountsAsync(world));
        Assert.Equal(3, before.Split('\n').Length);
        await again.Apply(Request(world, pod, Contents("v", File("a", "new\n"))));
        await CellWorld.WaitAsync("the new contents", async () => await ReadAsync(again) == "new\n");
        Assert.Equal(before, await MountsAsync(world));

        await world.KillAgentAsync();
        await world.StartAgentAsync();
        using var third = world.Connect();
        await third.Stop(CellWorld.PodUid, 0);
        await EndAsync(world, third);
        Assert.Equal("", await MountsAsync(world));
    }

    [ContainerdFact]
    [PodField("spec.volumes[].hostPath.type")]
    public async Task HostPath_ThatIsNotThere_WaitsAndSaysSo()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("cat /v/file");
        pod.Spec.Volumes = [new Volume { Name = "v", HostPath = new() { Path = $"{world.Directory}/late", Type = "Directory" } }];
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "v", MountPath = "/v" }];

        await client.Apply(Request(world, pod));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        await foreach (var update in client.Watch(patience.Token))
        {
            if (update.Event is { Reason: "FailedMount" } failed)
            {
                Assert.Equal(
                    $"MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: {world.Directory}/late is not a directory", failed.Message);
                break;
            }
        }

        await world.ShellAsync($"mkdir {world.Directory}/unfinished && echo here >{world.Directory}/unfinished/file && mv {world.Directory}/unfinished {world.Directory}/late");
        await EndAsync(world, client);
        Assert.Equal("here\n", await ReadAsync(client));
    }

    [ContainerdFact]
    [PodField("spec.containers[].volumeMounts[].mountPropagation")]
    public async Task MountPropagation_HostToContainer_ShowsLaterMountsOfTheCell()
    {
        await using var world = await CellWorld.StartAsync();
        using var client = world.Connect();
        var pod = CellWorld.Pod("echo up; until [ -e /sees/m/file ]; do sleep 0.05; done; [ -e /private/m/file ] || echo private");
        pod.Spec.Volumes = [new Volume { Name = "v", HostPath = new() { Path = $"{world.Directory}/shared", Type = "DirectoryOrCreate" } }];
        pod.Spec.Containers[0].VolumeMounts =
            [new() { Name = "v", MountPath = "/sees", MountPropagation = "HostToContainer" }, new() { Name = "v", MountPath = "/private" }];

        await client.Apply(Request(world, pod));
        await CellWorld.WaitAsync("the container to run", async () => await ReadAsync(client) == "up\n");
        await world.ShellAsync(
            $"mkdir {world.Directory}/m && mount -t tmpfs tmpfs {world.Directory}/m && touch {world.Directory}/m/file "
            + $"&& mkdir {world.Directory}/shared/m && mount --bind {world.Directory}/m {world.Directory}/shared/m");
        await EndAsync(world, client);

        Assert.Equal("up\nprivate\n", await ReadAsync(client));
        await world.ShellAsync($"umount {world.Directory}/shared/m {world.Directory}/m");
    }

    private static ApplyPodRequest Request(CellWorld world, Pod pod, params ResolvedVolume[] volumes)
    {
        var request = world.Request(pod);
        request.Volumes.Add(volumes);
        return request;
    }

    private static ResolvedVolume Contents(string name, params ResolvedFile[] files) => new() { Name = name, Files = { files } };

    private static ResolvedFile File(string path, string text, int mode = Public, long owner = 0) =>
        new() { Path = path, Data = ByteString.CopyFromUtf8(text), Mode = mode, Owner = owner };

    /// <summary>What is mounted below the volume directory, one a line.</summary>
    private static Task<string> MountsAsync(CellWorld world) =>
        world.ShellAsync($"cat /proc/self/mountinfo | cut -d ' ' -f 5 | grep {world.Directory}/volumes/ | sort");

    private static Task<PodStatus> EndAsync(CellWorld world, AgentClient client) =>
        world.WaitForAsync(client, "the end of the pod", status => status.Phase is "Succeeded" or "Failed");

    private static async Task<string> ReadAsync(AgentClient client)
    {
        var text = new StringBuilder();
        var request = new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = "main", TailLines = -1 };
        try
        {
            await foreach (var chunk in client.Logs(request, CancellationToken.None))
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
