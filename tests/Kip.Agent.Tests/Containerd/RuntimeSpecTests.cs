using System.Text.Json;
using Kip.Agent.Tests.Support;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Containerd;

/// <summary>
/// What containerd was really told to run, as <c>ctr</c> shows it (the OCI runtime specification), beside what the documentation of Kubernetes says a
/// kubelet makes of the pod: not our opinion of the CRI calls, but their effect.
/// </summary>
public sealed class RuntimeSpecTests
{
    // What container runtimes give to root unless told otherwise (documented by Docker and containerd alike).
    private static readonly string[] _defaultCapabilities =
    [
        "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
        "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ];

    // "Default" procMount of the Kubernetes API: what the container runtime masks.
    private static readonly string[] _masked =
        ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware"];

    [ContainerdFact]
    [PodField("spec.containers[].command", "spec.containers[].env")]
    public async Task Container_ThatAsksForNothing_IsBestEffortWithTheRuntimesDefaults()
    {
        await using var world = await CellWorld.StartAsync();
        var spec = await RunAsync(world, """{"containers":[{"name":"main","env":[{"name":"A","value":"b"}]}]}""");

        Assert.Equal(_defaultCapabilities, Texts(spec, "process.capabilities.bounding"));
        Assert.Equal((0, 0), (Number(spec, "process.user.uid"), Number(spec, "process.user.gid")));
        Assert.False(At(spec, "process").TryGetProperty("noNewPrivileges", out var none) && none.GetBoolean());
        Assert.Superset(_masked.Except(["/proc/asound"]).ToHashSet(), Texts(spec, "linux.maskedPaths").ToHashSet());
        Assert.False(At(spec, "linux").TryGetProperty("seccomp", out _)); // Unconfined unless the kubelet has SeccompDefault
        Assert.Equal(1000, Number(spec, "process.oomScoreAdj")); // BestEffort
        Assert.Equal(2, Number(spec, "linux.resources.cpu.shares")); // the least that the kernel takes
        var environment = Texts(spec, "process.env");
        Assert.Contains("HOSTNAME=hello", environment);
        Assert.Contains("A=b", environment);
        Assert.Contains("/etc/hosts", Mounts(spec).Keys);
        Assert.Contains("/dev/termination-log", Mounts(spec).Keys);
        var namespaces = Namespaces(spec);
        Assert.Equal("", namespaces["pid"]); // its own
        Assert.Equal("", namespaces["mount"]);
        Assert.All((string[])["network", "ipc", "uts"], kind => Assert.StartsWith("/proc/", namespaces[kind], StringComparison.Ordinal)); // the sandbox's
    }

    [ContainerdFact]
    [PodField("spec.containers[].resources.limits", "spec.containers[].resources.requests")]
    public async Task Resources_AreTheKernels()
    {
        await using var world = await CellWorld.StartAsync();
        var spec = await RunAsync(world, """
            {"containers":[{"name":"main","resources":{"requests":{"cpu":"250m","memory":"32Mi"},"limits":{"cpu":"500m","memory":"64Mi"}}}]}
            """);

        // CPU requests are shares of 1024 a processor, limits a quota of periods of 100 ms.
        Assert.Equal(256, Number(spec, "linux.resources.cpu.shares"));
        Assert.Equal((50_000, 100_000), (Number(spec, "linux.resources.cpu.quota"), Number(spec, "linux.resources.cpu.period")));
        Assert.Equal(64 << 20, Number(spec, "linux.resources.memory.limit"));
        // Burstable: 1000 less the request's part of the machine's memory in thousandths, between 2 and 999.
        var memory = long.Parse((await world.ShellAsync("grep MemTotal /proc/meminfo | tr -dc 0-9")).Trim(), System.Globalization.CultureInfo.InvariantCulture) << 10;
        Assert.Equal(Math.Clamp(1000 - (1000 * (32L << 20) / memory), 2, 999), Number(spec, "process.oomScoreAdj"));
        // And the kernel itself says so, v1 or v2.
        var group = At(spec, "linux.cgroupsPath").GetString();
        Assert.Equal("67108864", await world.ShellAsync($"cd /sys/fs/cgroup; cat memory/{group}/memory.limit_in_bytes 2>/dev/null || cat ./{group}/memory.max"));
        Assert.Equal(
            "50000 100000",
            (await world.ShellAsync($"cd /sys/fs/cgroup; cat ./{group}/cpu.max 2>/dev/null || cat cpu/{group}/cpu.cfs_quota_us cpu/{group}/cpu.cfs_period_us")).Trim().Replace('\n', ' '));
    }

    [ContainerdFact]
    [PodField("spec.securityContext.runAsUser", "spec.securityContext.runAsGroup", "spec.securityContext.fsGroup", "spec.securityContext.supplementalGroups",
        "spec.securityContext.sysctls", "spec.containers[].securityContext.capabilities", "spec.containers[].securityContext.allowPrivilegeEscalation",
        "spec.containers[].securityContext.readOnlyRootFilesystem", "spec.containers[].securityContext.seccompProfile.type")]
    public async Task SecurityContext_IsTheProcesses()
    {
        await using var world = await CellWorld.StartAsync();
        var spec = await RunAsync(world, """
            {"securityContext":{"runAsUser":1000,"runAsGroup":1001,"fsGroup":2000,"supplementalGroups":[3000],"sysctls":[{"name":"kernel.shm_rmid_forced","value":"1"}]},
             "containers":[{"name":"main","securityContext":{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,
               "capabilities":{"drop":["ALL"],"add":["NET_ADMIN"]},"seccompProfile":{"type":"RuntimeDefault"}}}]}
            """);

        Assert.Equal((1000, 1001), (Number(spec, "process.user.uid"), Number(spec, "process.user.gid")));
        Assert.Superset(new HashSet<int> { 2000, 3000 }, At(spec, "process.user.additionalGids").EnumerateArray().Select(static g => g.GetInt32()).ToHashSet());
        Assert.Equal(["CAP_NET_ADMIN"], Texts(spec, "process.capabilities.bounding"));
        Assert.True(At(spec, "process.noNewPrivileges").GetBoolean());
        Assert.True(At(spec, "root.readonly").GetBoolean());
        Assert.Equal("SCMP_ACT_ERRNO", At(spec, "linux.seccomp.defaultAction").GetString());
        var sandbox = await SpecAsync(world, "io.cri-containerd.kind==sandbox");
        Assert.Equal("1", At(sandbox, "linux.sysctl").GetProperty("kernel.shm_rmid_forced").GetString());
    }

    [ContainerdFact]
    [PodField("spec.containers[].securityContext.privileged", "spec.containers[].volumeMounts[].mountPropagation")]
    public async Task Privileged_HasTheCellsDevicesAndPowers()
    {
        await using var world = await CellWorld.StartAsync();
        var spec = await RunAsync(world, """
            {"containers":[{"name":"main","securityContext":{"privileged":true},"volumeMounts":[{"name":"v","mountPath":"/v","mountPropagation":"Bidirectional"}]}],
             "volumes":[{"name":"v","emptyDir":{}}]}
            """);

        Assert.Superset(_defaultCapabilities.Concat(["CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]).ToHashSet(), Texts(spec, "process.capabilities.effective").ToHashSet());
        Assert.False(At(spec, "linux").TryGetProperty("seccomp", out _));
        Assert.False(At(spec, "linux").TryGetProperty("maskedPaths", out var masked) && masked.ValueKind == JsonValueKind.Array && masked.GetArrayLength() > 0);
        Assert.Contains("/dev/null", At(spec, "linux.devices").EnumerateArray().Select(static d => d.GetProperty("path").GetString()));
        Assert.DoesNotContain("ro", Mounts(spec)["/sys"]);
        Assert.Contains("rshared", Mounts(spec)["/v"]);
    }

    [ContainerdFact]
    [PodField("spec.containers[].volumeMounts[].readOnly", "spec.containers[].volumeMounts[].mountPropagation", "spec.shareProcessNamespace",
        "spec.hostIPC", "spec.containers[].workingDir", "spec.containers[].args", "spec.containers[].tty")]
    public async Task Mounts_NamespacesAndProcess_AreAsThePodSays()
    {
        await using var world = await CellWorld.StartAsync();
        var spec = await RunAsync(world, """
            {"shareProcessNamespace":true,"hostIPC":true,
             "containers":[{"name":"main","workingDir":"/tmp","tty":true,"command":["sh","-c"],"args":["sleep 1000"],"volumeMounts":[
               {"name":"v","mountPath":"/private"},{"name":"v","mountPath":"/read","readOnly":true},{"name":"v","mountPath":"/slave","mountPropagation":"HostToContainer"}]}],
             "volumes":[{"name":"v","emptyDir":{}}]}
            """);

        Assert.Superset(new HashSet<string> { "rbind", "rprivate", "rw" }, Mounts(spec)["/private"].ToHashSet());
        Assert.Contains("ro", Mounts(spec)["/read"]);
        Assert.Contains("rslave", Mounts(spec)["/slave"]);
        var namespaces = Namespaces(spec);
        Assert.StartsWith("/proc/", namespaces["pid"], StringComparison.Ordinal); // the sandbox's
        // The cell's: no namespace of its own, or the one that the sandbox was made in, which is the cell's.
        Assert.True(!namespaces.TryGetValue("ipc", out var ipc) || await IsTheCellsAsync(world, ipc), $"ipc: {ipc}");
        Assert.Equal("/tmp", At(spec, "process.cwd").GetString());
        Assert.True(At(spec, "process.terminal").GetBoolean());
        Assert.Equal(["sh", "-c", "sleep 1000"], Texts(spec, "process.args"));
    }

    private static async Task<bool> IsTheCellsAsync(CellWorld world, string path) =>
        await world.ShellAsync($"readlink {path}") == await world.ShellAsync("readlink /proc/self/ns/ipc");

    /// <summary>Runs a pod, a program that sleeps unless it says another, and gives the specification of its container.</summary>
    private static async Task<JsonElement> RunAsync(CellWorld world, string spec)
    {
        var pod = KubernetesJson.DeserializePod(System.Text.Encoding.UTF8.GetBytes(
            $$$"""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"hello","namespace":"default","uid":"{{{CellWorld.PodUid}}}"},"spec":{{{spec}}} }"""));
        pod.Spec.Containers[0].Image = TestImages.Busybox;
        pod.Spec.Containers[0].Command ??= ["sleep", "1000"];
        PodDefaults.Apply(pod); // a kubelet gets its pods from an API server
        using var client = world.Connect();
        await client.Apply(world.Request(pod));
        await world.WaitForAsync(client, "the container to run", static status => status.ContainerStatuses is [{ State.Running: not null }]);
        return await SpecAsync(world, "io.cri-containerd.kind==container");
    }

    private static async Task<JsonElement> SpecAsync(CellWorld world, string label)
    {
        var ctr = $"ctr -a {world.Directory}/containerd.sock -n k8s.io";
        var id = (await world.ShellAsync($"{ctr} containers ls -q 'labels.\"{label.Replace("==", "\"==", StringComparison.Ordinal)}'")).Trim();
        using var document = JsonDocument.Parse(await world.ShellAsync($"{ctr} containers info {id}"));
        return document.RootElement.GetProperty("Spec").Clone();
    }

    private static JsonElement At(JsonElement element, string path) => path.Split('.').Aggregate(element, static (at, name) => at.GetProperty(name));

    private static long Number(JsonElement spec, string path) => At(spec, path).GetInt64();

    private static string[] Texts(JsonElement spec, string path) =>
        path == "process.args" || path == "process.env" ? [.. All(spec, path)] : [.. All(spec, path).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> All(JsonElement spec, string path) => At(spec, path).EnumerateArray().Select(static e => e.GetString()!);

    private static Dictionary<string, string[]> Mounts(JsonElement spec) => At(spec, "mounts").EnumerateArray().ToDictionary(
        static m => m.GetProperty("destination").GetString()!, static m => m.GetProperty("options").EnumerateArray().Select(static o => o.GetString()!).ToArray());

    private static Dictionary<string, string> Namespaces(JsonElement spec) => At(spec, "linux.namespaces").EnumerateArray().ToDictionary(
        static n => n.GetProperty("type").GetString()!, static n => n.TryGetProperty("path", out var path) ? path.GetString()! : "");
}
