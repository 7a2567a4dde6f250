using Kip.Kubernetes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Nodes;

/// <summary>
/// Renews the node's lease, which tells the cluster that the node lives. Give it a client of its own: nothing else the host does may
/// keep a renewal waiting.
/// </summary>
internal sealed partial class NodeLease(IKubernetesClient client, string nodeName, TimeProvider time, ILogger logger)
{
    public const string Namespace = "kube-node-lease";

    // A kubelet's: 40 seconds, renewed after a quarter of them.
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Interval = Duration / 4;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly ObjectKey _key = new(Namespace, nodeName);

    /// <param name="node">The node object, for the lease to go with it.</param>
    /// <param name="cancellationToken">Ends the renewals.</param>
    public async Task RunAsync(Task<Node> node, CancellationToken cancellationToken)
    {
        while (true)
        {
            var renewed = await TryRenewAsync(node, cancellationToken).ConfigureAwait(false);
            await Task.Delay(renewed ? Interval : RetryInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<bool> TryRenewAsync(Task<Node> node, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Interval, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var lease = new Lease
        {
            Spec = new LeaseSpec { HolderIdentity = nodeName, LeaseDurationSeconds = (int)Duration.TotalSeconds, RenewTime = time.GetUtcNow() },
        };
        try
        {
            try
            {
                await client.PatchAsync(
                    Resources.Leases, _key, Patch.Merge(KubernetesJson.SerializeToUtf8(lease, Resources.Leases.Json)), null, bounded.Token).ConfigureAwait(false);
            }
            catch (KubernetesApiException e) when (e.IsNotFound)
            {
                lease.Metadata = new ObjectMeta { Namespace = Namespace, Name = nodeName };
                if (node.IsCompletedSuccessfully && (await node.ConfigureAwait(false)).Metadata is { Uid: { } uid })
                {
                    lease.Metadata.OwnerReferences = [new OwnerReference { ApiVersion = "v1", Kind = "Node", Name = nodeName, Uid = uid }];
                }

                await client.CreateAsync(Resources.Leases, lease, bounded.Token).ConfigureAwait(false);
            }

            return true;
        }
        catch (KubernetesApiException e)
        {
            LogFailed(nodeName, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            LogFailed(nodeName, $"no answer within {Interval.TotalSeconds:0} s");
        }

        return false;
    }

    [LoggerMessage(20, LogLevel.Warning, "The lease of node {Node} could not be renewed: {Problem}")]
    private partial void LogFailed(string node, string problem);
}
