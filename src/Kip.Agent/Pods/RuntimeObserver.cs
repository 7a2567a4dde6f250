using Kip.Agent.Runtime;
using Kip.Agent.Runtime.Cri;
using Kip.Grpc;

namespace Kip.Agent.Pods;

/// <summary>What the runtime holds of the pod at one moment.</summary>
internal sealed record Observation(IReadOnlyList<PodSandbox> Sandboxes, IReadOnlyList<ObservedRun> Runs, string PodIP)
{
    /// <summary>The newest sandbox, if it is up.</summary>
    public PodSandbox? Sandbox =>
        Sandboxes.MaxBy(sandbox => sandbox.Metadata.Attempt) is { State: PodSandboxState.SandboxReady } newest ? newest : null;
}

/// <summary>Reads through CRI what is true of the pod. States that cannot change any more are asked for once only.</summary>
internal sealed class RuntimeObserver(ICriRuntime runtime, TimeProvider time)
{
    private const int KilledExitCode = 137;
    private static readonly TimeSpan OutOfMemoryGrace = TimeSpan.FromMilliseconds(250);
    private readonly Dictionary<string, ContainerStatus> _known = [];
    private readonly Dictionary<string, string> _addresses = [];

    /// <summary>Looks once.</summary>
    /// <exception cref="RpcException">The runtime does not answer.</exception>
    public async Task<Observation> ObserveAsync(string podUid, CancellationToken cancellationToken)
    {
        var labels = new Dictionary<string, string> { [PodIdentity.PodUidLabel] = podUid };
        var sandboxes = await runtime.ListPodSandboxAsync(labels, cancellationToken);
        var containers = await runtime.ListContainersAsync(labels, cancellationToken);
        var runs = new List<ObservedRun>(containers.Count);
        foreach (var container in containers)
        {
            if (await StatusAsync(container, cancellationToken) is { } status)
            {
                runs.Add(new ObservedRun(container.PodSandboxId, status, MayBeOutOfMemory(status)));
            }
        }

        foreach (var gone in _known.Keys.Except(containers.Select(container => container.Id)).ToList())
        {
            _known.Remove(gone);
        }

        var observation = new Observation(sandboxes, runs, "");
        return observation.Sandbox is { } sandbox
            ? observation with { PodIP = await AddressAsync(sandbox.Id, cancellationToken) }
            : observation;
    }

    private async Task<ContainerStatus?> StatusAsync(Container container, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(container.Id, out var known) && known.State == container.State)
        {
            return known;
        }

        try
        {
            var status = await runtime.ContainerStatusAsync(container.Id, cancellationToken);
            if (!MayBeOutOfMemory(status))
            {
                _known[container.Id] = status;
            }

            return status;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>
    /// The word of the kernel's out-of-memory killer reaches the runtime on another way than the exit, and sometimes after it.
    /// </summary>
    private bool MayBeOutOfMemory(ContainerStatus status) =>
        status is { State: ContainerState.ContainerExited, ExitCode: KilledExitCode, Reason: "Error" or "" }
        && time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(status.FinishedAt / 1_000_000) < OutOfMemoryGrace;

    private async Task<string> AddressAsync(string sandboxId, CancellationToken cancellationToken)
    {
        if (!_addresses.TryGetValue(sandboxId, out var address))
        {
            address = (await runtime.PodSandboxStatusAsync(sandboxId, cancellationToken)).Network?.Ip ?? "";
            _addresses[sandboxId] = address;
        }

        return address;
    }
}
