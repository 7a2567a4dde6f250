using Kip.Kubernetes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Nodes;

/// <summary>
/// Keeps the node object there and true. Only what is this host's is written, by patches that merge by key: labels, taints and
/// conditions of others stay, and so does a cordon.
/// </summary>
internal sealed partial class NodeController(IKubernetesClient client, NodeDescription description, TimeProvider time, ILogger logger)
{
    // A kubelet's: nodeStatusUpdateFrequency and nodeStatusReportFrequency.
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RetryInterval = LookInterval / 10;
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(30);

    private readonly ObjectKey _key = new(description.Name);
    private readonly TaskCompletionSource<Node> _registered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _labelled;

    /// <summary>Completes with the node object once it is there.</summary>
    public Task<Node> Registered => _registered.Task;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var troubled = false;
        while (true)
        {
            var pause = LookInterval;
            try
            {
                var node = await BoundedAsync(KeepAsync, cancellationToken).ConfigureAwait(false);
                _registered.TrySetResult(node);
                if (troubled)
                {
                    LogRecovered(description.Name);
                }

                troubled = false;
            }
            catch (Exception e) when (e is KubernetesApiException or TimeoutException && !cancellationToken.IsCancellationRequested)
            {
                LogFailed(description.Name, e.Message);
                troubled = true;
                pause = (e as KubernetesApiException)?.RetryAfter is { } asked && asked > RetryInterval ? asked : RetryInterval;
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Says that nobody looks after the node for a while. The pods' readiness is left alone.</summary>
    public async Task SayGoodbyeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await BoundedAsync(
                async ct =>
                {
                    var node = await client.GetAsync(Resources.Nodes, _key, ct).ConfigureAwait(false);
                    await PatchStatusAsync(description.Status(node.Status, time.GetUtcNow(), hostRunning: false), ct).ConfigureAwait(false);
                    return node;
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is KubernetesApiException or TimeoutException or OperationCanceledException)
        {
            LogFailed(description.Name, e.Message);
        }
    }

    private async Task<Node> KeepAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        Node node;
        try
        {
            node = await client.GetAsync(Resources.Nodes, _key, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            node = await client.CreateAsync(Resources.Nodes, description.Create(now), cancellationToken).ConfigureAwait(false);
            LogCreated(description.Name);
            _labelled = true;
        }

        if (!_labelled)
        {
            var labels = new ObjectMeta { Labels = description.Labels() };
            await client.PatchAsync(
                Resources.Nodes, _key, Patch.StrategicMerge(KubernetesJson.SerializeToUtf8(new Node { Metadata = labels }, Resources.Nodes.Json)), null, cancellationToken).ConfigureAwait(false);
            _labelled = true;
        }

        var wanted = description.Status(node.Status, now, hostRunning: true);
        if (!IsTold(node.Status, wanted, now))
        {
            await PatchStatusAsync(wanted, cancellationToken).ConfigureAwait(false);
        }

        return node;
    }

    private Task PatchStatusAsync(NodeStatus status, CancellationToken cancellationToken) => client.PatchAsync(
        Resources.Nodes,
        _key,
        Patch.StrategicMerge(KubernetesJson.SerializeToUtf8(new Node { Status = status }, Resources.Nodes.Json)),
        "status",
        cancellationToken);

    private static bool IsTold(NodeStatus? reported, NodeStatus wanted, DateTimeOffset now)
    {
        if (reported is null
            || !Same(reported.Capacity, wanted.Capacity)
            || !Same(reported.Allocatable, wanted.Allocatable)
            || reported.DaemonEndpoints?.KubeletEndpoint?.Port != wanted.DaemonEndpoints!.KubeletEndpoint!.Port
            || reported.NodeInfo?.KubeletVersion != wanted.NodeInfo!.KubeletVersion
            || reported.NodeInfo?.ContainerRuntimeVersion != wanted.NodeInfo.ContainerRuntimeVersion
            || !wanted.Addresses!.TrueForAll(a => reported.Addresses?.Exists(r => r.Type == a.Type && r.Address == a.Address) == true))
        {
            return false;
        }

        return wanted.Conditions!.TrueForAll(c => reported.Conditions?.Exists(
            r => r.Type == c.Type && r.Status == c.Status && r.Reason == c.Reason && r.LastHeartbeatTime > now - HeartbeatInterval) == true);
    }

    // What others have added to the node is theirs.
    private static bool Same(Dictionary<string, Quantity>? reported, Dictionary<string, Quantity>? wanted) =>
        wanted!.All(w => reported is not null && reported.TryGetValue(w.Key, out var r) && r == w.Value);

    private async Task<Node> BoundedAsync(Func<CancellationToken, Task<Node>> call, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(CallTimeout, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await call(bounded.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"the API server did not answer within {CallTimeout.TotalSeconds:0} s");
        }
    }

    [LoggerMessage(10, LogLevel.Information, "Node {Node} created")]
    private partial void LogCreated(string node);

    [LoggerMessage(11, LogLevel.Warning, "Node {Node} cannot be kept up to date: {Problem}")]
    private partial void LogFailed(string node, string problem);

    [LoggerMessage(12, LogLevel.Information, "Node {Node} is up to date again")]
    private partial void LogRecovered(string node);
}
