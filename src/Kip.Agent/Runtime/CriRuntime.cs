using Google.Protobuf;
using Kip.Agent.Runtime.Containerd;
using Kip.Agent.Runtime.Cri;
using Kip.Grpc;
using Empty = Google.Protobuf.WellKnownTypes.Empty;

namespace Kip.Agent.Runtime;

/// <summary>CRI over a gRPC channel to the runtime's socket.</summary>
internal sealed class CriRuntime(GrpcChannel channel) : ICriRuntime
{
    private const string RuntimeService = "runtime.v1.RuntimeService";
    private const string ImageService = "runtime.v1.ImageService";
    private const string NamespaceHeader = "containerd-namespace";
    private const string CriNamespace = "k8s.io";

    // A loaded disk makes containerd slow, not broken: deadlines are there to end waits that would never end.
    private static readonly TimeSpan Query = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Change = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan Pull = TimeSpan.FromHours(2);

    private readonly Method<VersionRequest, VersionResponse> _version =
        Runtime("Version", VersionRequest.Parser, VersionResponse.Parser);

    private readonly Method<StatusRequest, StatusResponse> _status =
        Runtime("Status", StatusRequest.Parser, StatusResponse.Parser);

    private readonly Method<RunPodSandboxRequest, RunPodSandboxResponse> _runPodSandbox =
        Runtime("RunPodSandbox", RunPodSandboxRequest.Parser, RunPodSandboxResponse.Parser);

    private readonly Method<StopPodSandboxRequest, StopPodSandboxResponse> _stopPodSandbox =
        Runtime("StopPodSandbox", StopPodSandboxRequest.Parser, StopPodSandboxResponse.Parser);

    private readonly Method<RemovePodSandboxRequest, RemovePodSandboxResponse> _removePodSandbox =
        Runtime("RemovePodSandbox", RemovePodSandboxRequest.Parser, RemovePodSandboxResponse.Parser);

    private readonly Method<PodSandboxStatusRequest, PodSandboxStatusResponse> _podSandboxStatus =
        Runtime("PodSandboxStatus", PodSandboxStatusRequest.Parser, PodSandboxStatusResponse.Parser);

    private readonly Method<ListPodSandboxRequest, ListPodSandboxResponse> _listPodSandbox =
        Runtime("ListPodSandbox", ListPodSandboxRequest.Parser, ListPodSandboxResponse.Parser);

    private readonly Method<CreateContainerRequest, CreateContainerResponse> _createContainer =
        Runtime("CreateContainer", CreateContainerRequest.Parser, CreateContainerResponse.Parser);

    private readonly Method<StartContainerRequest, StartContainerResponse> _startContainer =
        Runtime("StartContainer", StartContainerRequest.Parser, StartContainerResponse.Parser);

    private readonly Method<UpdateContainerResourcesRequest, UpdateContainerResourcesResponse> _updateContainerResources =
        Runtime("UpdateContainerResources", UpdateContainerResourcesRequest.Parser, UpdateContainerResourcesResponse.Parser);

    // CRI itself had no way to send a signal before containerd 2.2.
    private readonly Method<KillRequest, Empty> _kill =
        Method.Unary("containerd.services.tasks.v1.Tasks", "Kill", KillRequest.Parser, Empty.Parser);

    private readonly Method<StopContainerRequest, StopContainerResponse> _stopContainer =
        Runtime("StopContainer", StopContainerRequest.Parser, StopContainerResponse.Parser);

    private readonly Method<RemoveContainerRequest, RemoveContainerResponse> _removeContainer =
        Runtime("RemoveContainer", RemoveContainerRequest.Parser, RemoveContainerResponse.Parser);

    private readonly Method<ListContainersRequest, ListContainersResponse> _listContainers =
        Runtime("ListContainers", ListContainersRequest.Parser, ListContainersResponse.Parser);

    private readonly Method<ContainerStatusRequest, ContainerStatusResponse> _containerStatus =
        Runtime("ContainerStatus", ContainerStatusRequest.Parser, ContainerStatusResponse.Parser);

    private readonly Method<ReopenContainerLogRequest, ReopenContainerLogResponse> _reopenContainerLog =
        Runtime("ReopenContainerLog", ReopenContainerLogRequest.Parser, ReopenContainerLogResponse.Parser);

    private readonly Method<ExecRequest, ExecResponse> _exec = Runtime("Exec", ExecRequest.Parser, ExecResponse.Parser);

    private readonly Method<ExecSyncRequest, ExecSyncResponse> _execSync =
        Runtime("ExecSync", ExecSyncRequest.Parser, ExecSyncResponse.Parser);

    private readonly Method<AttachRequest, AttachResponse> _attach = Runtime("Attach", AttachRequest.Parser, AttachResponse.Parser);

    private readonly Method<ListContainerStatsRequest, ListContainerStatsResponse> _listContainerStats =
        Runtime("ListContainerStats", ListContainerStatsRequest.Parser, ListContainerStatsResponse.Parser);

    private readonly Method<ImageFsInfoRequest, ImageFsInfoResponse> _imageFsInfo =
        Method.Unary(ImageService, "ImageFsInfo", ImageFsInfoRequest.Parser, ImageFsInfoResponse.Parser);

    private readonly Method<ImageStatusRequest, ImageStatusResponse> _imageStatus =
        Method.Unary(ImageService, "ImageStatus", ImageStatusRequest.Parser, ImageStatusResponse.Parser);

    private readonly Method<ListImagesRequest, ListImagesResponse> _listImages =
        Method.Unary(ImageService, "ListImages", ListImagesRequest.Parser, ListImagesResponse.Parser);

    private readonly Method<PullImageRequest, PullImageResponse> _pullImage =
        Method.Unary(ImageService, "PullImage", PullImageRequest.Parser, PullImageResponse.Parser);

    public Task<VersionResponse> VersionAsync(CancellationToken cancellationToken) =>
        Call(_version, new VersionRequest(), Query, cancellationToken);

    public async Task<RuntimeStatus> StatusAsync(CancellationToken cancellationToken) =>
        (await Call(_status, new StatusRequest(), Query, cancellationToken)).Status ?? new RuntimeStatus();

    public async Task<string> RunPodSandboxAsync(PodSandboxConfig config, string handler, CancellationToken cancellationToken)
    {
        var request = new RunPodSandboxRequest { Config = config, RuntimeHandler = handler };
        return (await Call(_runPodSandbox, request, Change, cancellationToken)).PodSandboxId;
    }

    public Task StopPodSandboxAsync(string sandboxId, CancellationToken cancellationToken) =>
        Call(_stopPodSandbox, new StopPodSandboxRequest { PodSandboxId = sandboxId }, Change, cancellationToken);

    public Task RemovePodSandboxAsync(string sandboxId, CancellationToken cancellationToken) =>
        Call(_removePodSandbox, new RemovePodSandboxRequest { PodSandboxId = sandboxId }, Change, cancellationToken);

    public async Task<PodSandboxStatus> PodSandboxStatusAsync(string sandboxId, CancellationToken cancellationToken) =>
        (await Call(_podSandboxStatus, new PodSandboxStatusRequest { PodSandboxId = sandboxId }, Query, cancellationToken)).Status
            ?? new PodSandboxStatus();

    public async Task<string?> NetworkNamespaceAsync(string sandboxId, CancellationToken cancellationToken)
    {
        var request = new PodSandboxStatusRequest { PodSandboxId = sandboxId, Verbose = true };
        var info = (await Call(_podSandboxStatus, request, Query, cancellationToken)).Info;
        return info.TryGetValue("info", out var json) ? SandboxInfo.NetworkNamespace(json) : null;
    }

    public async Task<IReadOnlyList<PodSandbox>> ListPodSandboxAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken)
    {
        var filter = new PodSandboxFilter();
        foreach (var (key, value) in labels)
        {
            filter.LabelSelector.Add(key, value);
        }

        return (await Call(_listPodSandbox, new ListPodSandboxRequest { Filter = filter }, Query, cancellationToken)).Items;
    }

    public async Task<string> CreateContainerAsync(
        string sandboxId, ContainerConfig config, PodSandboxConfig sandboxConfig, CancellationToken cancellationToken)
    {
        var request = new CreateContainerRequest { PodSandboxId = sandboxId, Config = config, SandboxConfig = sandboxConfig };
        return (await Call(_createContainer, request, Change, cancellationToken)).ContainerId;
    }

    public Task StartContainerAsync(string containerId, CancellationToken cancellationToken) =>
        Call(_startContainer, new StartContainerRequest { ContainerId = containerId }, Change, cancellationToken);

    public Task UpdateContainerResourcesAsync(string containerId, LinuxContainerResources resources, CancellationToken cancellationToken)
    {
        var request = new UpdateContainerResourcesRequest { ContainerId = containerId, Linux = resources };
        return Call(_updateContainerResources, request, Change, cancellationToken);
    }

    public Task SignalContainerAsync(string containerId, int signal, CancellationToken cancellationToken)
    {
        var request = new KillRequest { ContainerId = containerId, Signal = (uint)signal };
        var headers = new Metadata { { NamespaceHeader, CriNamespace } };
        return channel.UnaryAsync(_kill, request, new CallOptions(Query, headers), cancellationToken);
    }

    public Task StopContainerAsync(string containerId, TimeSpan grace, CancellationToken cancellationToken)
    {
        var seconds = Math.Max(0, (long)Math.Ceiling(grace.TotalSeconds));
        var request = new StopContainerRequest { ContainerId = containerId, Timeout = seconds };
        return Call(_stopContainer, request, TimeSpan.FromSeconds(seconds) + Change, cancellationToken);
    }

    public Task RemoveContainerAsync(string containerId, CancellationToken cancellationToken) =>
        Call(_removeContainer, new RemoveContainerRequest { ContainerId = containerId }, Change, cancellationToken);

    public async Task<IReadOnlyList<Container>> ListContainersAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken)
    {
        var filter = new ContainerFilter();
        foreach (var (key, value) in labels)
        {
            filter.LabelSelector.Add(key, value);
        }

        return (await Call(_listContainers, new ListContainersRequest { Filter = filter }, Query, cancellationToken)).Containers;
    }

    public async Task<ContainerStatus> ContainerStatusAsync(string containerId, CancellationToken cancellationToken) =>
        (await Call(_containerStatus, new ContainerStatusRequest { ContainerId = containerId }, Query, cancellationToken)).Status
            ?? new ContainerStatus();

    public Task ReopenContainerLogAsync(string containerId, CancellationToken cancellationToken) =>
        Call(_reopenContainerLog, new ReopenContainerLogRequest { ContainerId = containerId }, Query, cancellationToken);

    public async Task<Uri> ExecAsync(ExecRequest request, CancellationToken cancellationToken) =>
        new((await Call(_exec, request, Query, cancellationToken)).Url);

    public Task<ExecSyncResponse> ExecSyncAsync(
        string containerId, IReadOnlyList<string> command, TimeSpan timeout, TimeSpan slack, CancellationToken cancellationToken)
    {
        var seconds = Math.Max(1, (long)Math.Ceiling(timeout.TotalSeconds));
        var request = new ExecSyncRequest { ContainerId = containerId, Timeout = seconds };
        request.Cmd.AddRange(command);
        return Call(_execSync, request, TimeSpan.FromSeconds(seconds) + slack, cancellationToken);
    }

    public async Task<Uri> AttachAsync(AttachRequest request, CancellationToken cancellationToken) =>
        new((await Call(_attach, request, Query, cancellationToken)).Url);

    public async Task<IReadOnlyList<ContainerStats>> ListContainerStatsAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken)
    {
        var filter = new ContainerStatsFilter();
        foreach (var (key, value) in labels)
        {
            filter.LabelSelector.Add(key, value);
        }

        return (await Call(_listContainerStats, new ListContainerStatsRequest { Filter = filter }, Query, cancellationToken)).Stats;
    }

    public async Task<string?> ImageDirectoryAsync(CancellationToken cancellationToken) =>
        (await Call(_imageFsInfo, new ImageFsInfoRequest(), Query, cancellationToken)).ImageFilesystems.FirstOrDefault()?.FsId?.Mountpoint;

    public async Task<Image?> ImageStatusAsync(string image, CancellationToken cancellationToken)
    {
        var request = new ImageStatusRequest { Image = new ImageSpec { Image = image } };
        return (await Call(_imageStatus, request, Query, cancellationToken)).Image;
    }

    public async Task<IReadOnlyList<Image>> ListImagesAsync(CancellationToken cancellationToken) =>
        (await Call(_listImages, new ListImagesRequest(), Query, cancellationToken)).Images;

    public async Task<string> PullImageAsync(
        string image, AuthConfig? credentials, PodSandboxConfig? sandboxConfig, CancellationToken cancellationToken)
    {
        var request = new PullImageRequest
        {
            Image = new ImageSpec { Image = image }, Auth = credentials, SandboxConfig = sandboxConfig,
        };
        return (await Call(_pullImage, request, Pull, cancellationToken)).ImageRef;
    }

    private static Method<TRequest, TResponse> Runtime<TRequest, TResponse>(
        string name, MessageParser<TRequest> request, MessageParser<TResponse> response)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> => Method.Unary(RuntimeService, name, request, response);

    private Task<TResponse> Call<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, TimeSpan deadline, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        channel.UnaryAsync(method, request, new CallOptions(deadline), cancellationToken);
}
