using Kip.Agent.Runtime;
using Kip.Agent.Runtime.Cri;
using Kip.Grpc;

namespace Kip.Agent.Tests.Support;

/// <summary>A container runtime in memory. Containers end when the test says so; stops, by default, at once.</summary>
internal sealed class ScriptedRuntime(TimeProvider time) : ICriRuntime
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (PodSandboxConfig Config, PodSandboxState State)> _sandboxes = [];
    private readonly Dictionary<string, (string SandboxId, ContainerConfig Config, ContainerStatus Status)> _containers = [];
    private readonly HashSet<string> _images = [];
    private int _ids;

    /// <summary>What was asked for, in order: "run 0", "create main 0", "start main 0", "stop main 0 5s", "pull x", "stop sandbox", ...</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Null: it answers. Otherwise every call fails with this.</summary>
    public RpcException? Away { get; set; }

    /// <summary>Gives the error of a pull, or null for success.</summary>
    public Func<string, RpcException?> Pull { get; set; } = _ => null;

    /// <summary>Gives the error of a start, or null for success.</summary>
    public Func<string, RpcException?> StartFails { get; set; } = _ => null;

    /// <summary>The exit code that SIGTERM brings about; null when the container ignores it.</summary>
    public Func<string, int?> OnTerminate { get; set; } = _ => 143;

    /// <summary>Gives the error of a change of resources, or null for success.</summary>
    public Func<string, RpcException?> UpdateFails { get; set; } = _ => null;

    /// <summary>The exit code that a signal other than SIGTERM brings about; null when the container ignores it.</summary>
    public Func<string, int?> OnSignal { get; set; } = _ => 0;

    /// <summary>Gives the result of a command in a container, by name.</summary>
    public Func<string, IReadOnlyList<string>, Task<ExecSyncResponse>> Exec { get; set; } =
        (_, _) => Task.FromResult(new ExecSyncResponse());

    /// <summary>Bytes that a container wrote outside volumes.</summary>
    public Func<string, long> Written { get; set; } = _ => 0;

    public Image? Image { get; set; }

    public int Runs(string name) => With(() => _containers.Values.Count(container => container.Config.Metadata.Name == name));

    public ContainerConfig Config(string name) => With(() => Newest(name).Config);

    public PodSandboxConfig SandboxConfig() => With(() => _sandboxes.Values.Last().Config);

    public bool IsRunning(string name) => With(() =>
        _containers.Values.Any(container => container.Config.Metadata.Name == name && container.Status.State == ContainerState.ContainerRunning));

    public IReadOnlyList<string> CallList() => With(() => Calls.ToList());

    /// <summary>Puts an image on the machine.</summary>
    public void AddImage(string name) => With(() => _images.Add(name));

    /// <summary>Ends the newest run of a container.</summary>
    public void Exit(string name, int code, string reason = "") => With(() =>
    {
        var status = Newest(name).Status;
        End(status, code, reason);
        return status.Id;
    });

    public void KillSandbox() => With(() =>
    {
        var id = _sandboxes.Keys.Last();
        _sandboxes[id] = (_sandboxes[id].Config, PodSandboxState.SandboxNotready);
        foreach (var container in _containers.Values.Where(container => container.SandboxId == id && container.Status.State == ContainerState.ContainerRunning))
        {
            End(container.Status, 137, "");
        }

        return id;
    });

    public Task<VersionResponse> VersionAsync(CancellationToken cancellationToken) =>
        Answer(() => new VersionResponse { RuntimeName = "scripted", RuntimeVersion = "1" });

    public Task<RuntimeStatus> StatusAsync(CancellationToken cancellationToken) => Answer(() => new RuntimeStatus
    {
        Conditions = { new RuntimeCondition { Type = "RuntimeReady", Status = true }, new RuntimeCondition { Type = "NetworkReady", Status = true } },
    });

    public Task<string> RunPodSandboxAsync(PodSandboxConfig config, string handler, CancellationToken cancellationToken) => Answer(() =>
    {
        Calls.Add($"run {config.Metadata.Attempt} {handler}".TrimEnd());
        var id = $"sandbox-{++_ids}";
        _sandboxes[id] = (config, PodSandboxState.SandboxReady);
        return id;
    });

    public Task StopPodSandboxAsync(string sandboxId, CancellationToken cancellationToken) => Answer(() =>
    {
        Calls.Add("stop sandbox");
        _sandboxes[sandboxId] = (_sandboxes[sandboxId].Config, PodSandboxState.SandboxNotready);
        return sandboxId;
    });

    public Task RemovePodSandboxAsync(string sandboxId, CancellationToken cancellationToken) => Answer(() =>
    {
        Calls.Add("remove sandbox");
        foreach (var id in _containers.Where(each => each.Value.SandboxId == sandboxId).Select(each => each.Key).ToList())
        {
            _containers.Remove(id);
        }

        return _sandboxes.Remove(sandboxId);
    });

    public Task<PodSandboxStatus> PodSandboxStatusAsync(string sandboxId, CancellationToken cancellationToken) => Answer(() => new PodSandboxStatus
    {
        Id = sandboxId, State = _sandboxes[sandboxId].State, Network = new PodSandboxNetworkStatus { Ip = "10.1.2.3" },
    });

    public Task<IReadOnlyList<PodSandbox>> ListPodSandboxAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken) =>
        Answer<IReadOnlyList<PodSandbox>>(() => _sandboxes.Select(each => new PodSandbox
        {
            Id = each.Key, Metadata = each.Value.Config.Metadata, State = each.Value.State,
        }).ToList());

    public Task<string> CreateContainerAsync(
        string sandboxId, ContainerConfig config, PodSandboxConfig sandboxConfig, CancellationToken cancellationToken) => Answer(() =>
    {
        Calls.Add($"create {config.Metadata.Name} {config.Metadata.Attempt}");
        var id = $"container-{++_ids}";
        var status = new ContainerStatus
        {
            Id = id, Metadata = config.Metadata, State = ContainerState.ContainerCreated, CreatedAt = Now(), ImageRef = config.Image.Image,
        };
        status.Annotations.Add(config.Annotations);
        _containers[id] = (sandboxId, config, status);
        return id;
    });

    public Task StartContainerAsync(string containerId, CancellationToken cancellationToken) => Answer(() =>
    {
        var (_, config, status) = _containers[containerId];
        Calls.Add($"start {config.Metadata.Name} {config.Metadata.Attempt}");
        status.StartedAt = Now();
        if (StartFails(config.Metadata.Name) is { } error)
        {
            // As containerd does it.
            End(status, 128, "StartError");
            status.Message = error.Status.Detail;
            throw error;
        }

        status.State = ContainerState.ContainerRunning;
        return containerId;
    });

    public Task UpdateContainerResourcesAsync(
        string containerId, LinuxContainerResources resources, CancellationToken cancellationToken) => Answer(() =>
    {
        var name = _containers[containerId].Config.Metadata.Name;
        Calls.Add($"update {name} {resources.CpuShares} {resources.CpuQuota} {resources.MemoryLimitInBytes}");
        return UpdateFails(name) is { } error ? throw error : containerId;
    });

    public Task SignalContainerAsync(string containerId, int signal, CancellationToken cancellationToken) => Answer(() =>
    {
        var status = _containers[containerId].Status;
        Calls.Add($"signal {status.Metadata.Name} {signal}");
        if (OnSignal(status.Metadata.Name) is { } code)
        {
            End(status, code, "");
        }

        return containerId;
    });

    public async Task StopContainerAsync(string containerId, TimeSpan grace, CancellationToken cancellationToken)
    {
        var code = await Answer(() =>
        {
            var metadata = _containers[containerId].Config.Metadata;
            Calls.Add($"stop {metadata.Name} {metadata.Attempt} {grace.TotalSeconds:0}s");
            return OnTerminate(metadata.Name);
        });
        if (code is null)
        {
            await Task.Delay(grace, time, cancellationToken);
        }

        With(() =>
        {
            var status = _containers[containerId].Status;
            if (status.State == ContainerState.ContainerRunning)
            {
                End(status, code ?? 137, "");
            }

            return status;
        });
    }

    public Task RemoveContainerAsync(string containerId, CancellationToken cancellationToken) => Answer(() =>
    {
        var metadata = _containers[containerId].Config.Metadata;
        Calls.Add($"remove {metadata.Name} {metadata.Attempt}");
        return _containers.Remove(containerId);
    });

    public Task<IReadOnlyList<Container>> ListContainersAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken) =>
        Answer<IReadOnlyList<Container>>(() => _containers.Select(each => new Container
        {
            Id = each.Key, PodSandboxId = each.Value.SandboxId, Metadata = each.Value.Config.Metadata, State = each.Value.Status.State,
        }).ToList());

    public Task<ContainerStatus> ContainerStatusAsync(string containerId, CancellationToken cancellationToken) =>
        Answer(() => _containers[containerId].Status.Clone());

    public Task ReopenContainerLogAsync(string containerId, CancellationToken cancellationToken) => Answer(() =>
    {
        Calls.Add("reopen");
        return containerId;
    });

    public Task<Image?> ImageStatusAsync(string image, CancellationToken cancellationToken) =>
        Answer(() => _images.Contains(image) ? Image ?? new Image { Id = $"sha256:{image}", Size = 7 } : null);

    public Task<IReadOnlyList<Image>> ListImagesAsync(CancellationToken cancellationToken) =>
        Answer<IReadOnlyList<Image>>(() => _images.Select(image => new Image { Id = image }).ToList());

    public Task<string> PullImageAsync(
        string image, AuthConfig? credentials, PodSandboxConfig? sandboxConfig, CancellationToken cancellationToken) => Answer(() =>
    {
        Calls.Add($"pull {image} {credentials?.Username}".TrimEnd());
        if (Pull(image) is { } error)
        {
            throw error;
        }

        _images.Add(image);
        return image;
    });

    public Task<string?> NetworkNamespaceAsync(string sandboxId, CancellationToken cancellationToken) => Answer<string?>(() => null);

    public Task<Uri> ExecAsync(ExecRequest request, CancellationToken cancellationToken) => throw new NotSupportedException("no streams here");

    public async Task<ExecSyncResponse> ExecSyncAsync(
        string containerId, IReadOnlyList<string> command, TimeSpan timeout, TimeSpan slack, CancellationToken cancellationToken)
    {
        var result = await Answer(() =>
        {
            var (_, config, status) = _containers[containerId];
            return status.State == ContainerState.ContainerRunning
                ? Exec(config.Metadata.Name, command)
                : throw new RpcException(StatusCode.Unknown, "container is not running");
        });
        return await result.WaitAsync(cancellationToken);
    }

    public Task<Uri> AttachAsync(AttachRequest request, CancellationToken cancellationToken) => throw new NotSupportedException("no streams here");

    public Task<IReadOnlyList<ContainerStats>> ListContainerStatsAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken) => Answer<IReadOnlyList<ContainerStats>>(() => _containers.Values.Select(each => new ContainerStats
        {
            Attributes = new ContainerAttributes { Id = each.Status.Id, Metadata = each.Config.Metadata },
            WritableLayer = new FilesystemUsage { UsedBytes = new UInt64Value { Value = (ulong)Written(each.Config.Metadata.Name) } },
        }).ToList());

    public Task<string?> ImageDirectoryAsync(CancellationToken cancellationToken) => Answer<string?>(() => null);

    private void End(ContainerStatus status, int code, string reason)
    {
        status.State = ContainerState.ContainerExited;
        status.ExitCode = code;
        status.Reason = reason.Length > 0 ? reason : code == 0 ? "Completed" : "Error";
        status.FinishedAt = Now();
    }

    private (string SandboxId, ContainerConfig Config, ContainerStatus Status) Newest(string name) =>
        _containers.Values.Where(container => container.Config.Metadata.Name == name).MaxBy(container => container.Config.Metadata.Attempt);

    private long Now() => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100;

    private T With<T>(Func<T> action)
    {
        lock (_lock)
        {
            return action();
        }
    }

    private async Task<T> Answer<T>(Func<T> action)
    {
        await Task.Yield();
        return With(() => Away is null ? action() : throw Away);
    }
}
