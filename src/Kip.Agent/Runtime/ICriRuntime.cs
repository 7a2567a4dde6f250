using Kip.Agent.Runtime.Cri;

namespace Kip.Agent.Runtime;

/// <summary>
/// The calls of the Container Runtime Interface that the agent makes. Every one of them ends by its own deadline; a failure is a
/// <see cref="Kip.Grpc.RpcException"/>, with code Unavailable when the runtime does not answer.
/// </summary>
internal interface ICriRuntime
{
    /// <summary>Name and version of the runtime.</summary>
    Task<VersionResponse> VersionAsync(CancellationToken cancellationToken);

    /// <summary>Whether the runtime and its network are ready.</summary>
    Task<RuntimeStatus> StatusAsync(CancellationToken cancellationToken);

    /// <summary>Makes and starts a sandbox; the result is its id.</summary>
    /// <param name="config">What it is to be.</param>
    /// <param name="handler">Which of the configured runtimes runs it and its containers; empty for the default one.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    Task<string> RunPodSandboxAsync(PodSandboxConfig config, string handler, CancellationToken cancellationToken);

    /// <summary>Ends what still runs in the sandbox and frees its network. Idempotent.</summary>
    Task StopPodSandboxAsync(string sandboxId, CancellationToken cancellationToken);

    /// <summary>Removes the sandbox with all its containers. Idempotent.</summary>
    Task RemovePodSandboxAsync(string sandboxId, CancellationToken cancellationToken);

    Task<PodSandboxStatus> PodSandboxStatusAsync(string sandboxId, CancellationToken cancellationToken);

    /// <summary>Where the sandbox's network namespace is to be found; null when it has the cell's own.</summary>
    Task<string?> NetworkNamespaceAsync(string sandboxId, CancellationToken cancellationToken);

    /// <summary>The sandboxes that carry all these labels.</summary>
    Task<IReadOnlyList<PodSandbox>> ListPodSandboxAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken);

    /// <summary>Makes a container; the result is its id.</summary>
    Task<string> CreateContainerAsync(
        string sandboxId, ContainerConfig config, PodSandboxConfig sandboxConfig, CancellationToken cancellationToken);

    Task StartContainerAsync(string containerId, CancellationToken cancellationToken);

    /// <summary>Gives a running container other limits; what is 0 or missing stays as it is.</summary>
    Task UpdateContainerResourcesAsync(string containerId, LinuxContainerResources resources, CancellationToken cancellationToken);

    /// <summary>Sends a signal to the container's first process. NotFound: it has ended.</summary>
    Task SignalContainerAsync(string containerId, int signal, CancellationToken cancellationToken);

    /// <summary>SIGTERM (or the image's signal), and SIGKILL after the grace period; returns when the container has ended.</summary>
    Task StopContainerAsync(string containerId, TimeSpan grace, CancellationToken cancellationToken);

    /// <summary>Removes a container. Idempotent.</summary>
    Task RemoveContainerAsync(string containerId, CancellationToken cancellationToken);

    /// <summary>The containers that carry all these labels.</summary>
    Task<IReadOnlyList<Container>> ListContainersAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken);

    Task<ContainerStatus> ContainerStatusAsync(string containerId, CancellationToken cancellationToken);

    /// <summary>Makes the runtime write to a new file after the old one was renamed.</summary>
    Task ReopenContainerLogAsync(string containerId, CancellationToken cancellationToken);

    /// <summary>Prepares a command; it runs once somebody speaks SPDY to the address that this returns.</summary>
    Task<Uri> ExecAsync(ExecRequest request, CancellationToken cancellationToken);

    /// <summary>Runs a command to its end; DeadlineExceeded when it takes longer than the time-out, and is killed then.</summary>
    /// <param name="containerId">A container that runs.</param>
    /// <param name="command">The command and its arguments.</param>
    /// <param name="timeout">Counted in whole seconds, of which there is at least one.</param>
    /// <param name="slack">How long the runtime itself may take beyond that.</param>
    /// <param name="cancellationToken">Gives up waiting; the command goes on until its time is over.</param>
    Task<ExecSyncResponse> ExecSyncAsync(
        string containerId, IReadOnlyList<string> command, TimeSpan timeout, TimeSpan slack, CancellationToken cancellationToken);

    /// <summary>Prepares to join a container's streams, at the address that this returns.</summary>
    Task<Uri> AttachAsync(AttachRequest request, CancellationToken cancellationToken);

    /// <summary>What the running containers that carry all these labels use.</summary>
    Task<IReadOnlyList<ContainerStats>> ListContainerStatsAsync(
        IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken);

    /// <summary>Where images and writable layers lie; null when the runtime does not say.</summary>
    Task<string?> ImageDirectoryAsync(CancellationToken cancellationToken);

    /// <summary>The image under this name, or null.</summary>
    Task<Image?> ImageStatusAsync(string image, CancellationToken cancellationToken);

    Task<IReadOnlyList<Image>> ListImagesAsync(CancellationToken cancellationToken);

    /// <summary>Pulls an image; the result is the reference to create containers with.</summary>
    Task<string> PullImageAsync(string image, AuthConfig? credentials, PodSandboxConfig? sandboxConfig, CancellationToken cancellationToken);
}
