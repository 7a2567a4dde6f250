using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>What a pod uses, with the pod.</summary>
internal sealed record PodUsage(Pod Pod, PodStatistics Statistics);

/// <summary>Asks the cells of all pods at once, and does without those that do not answer in time.</summary>
internal sealed partial class StatisticsCollector(IPodHost host, KubeletServerOptions options, TimeProvider time, ILogger log)
{
    private const int AtOnce = 64;

    public async Task<IReadOnlyList<PodUsage>> CollectAsync(CancellationToken cancellationToken)
    {
        var usages = new ConcurrentBag<PodUsage>();
        await Parallel.ForEachAsync(
            host.ListPods(),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (pod, stop) =>
            {
                if (await AskAsync(pod, stop).ConfigureAwait(false) is { } statistics)
                {
                    usages.Add(new(pod, statistics));
                }
            }).ConfigureAwait(false);
        return
        [
            .. usages.OrderBy(usage => usage.Pod.Metadata.Namespace, StringComparer.Ordinal)
                .ThenBy(usage => usage.Pod.Metadata.Name, StringComparer.Ordinal),
        ];
    }

    private async Task<PodStatistics?> AskAsync(Pod pod, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.StatisticsTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await host.GetStatisticsAsync(pod.Metadata.Uid ?? "", either.Token).ConfigureAwait(false);
        }
        catch (Exception error)
            when (error is AgentException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogMissing(pod.Metadata.Namespace, pod.Metadata.Name, error.Message);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "no statistics of {Namespace}/{Pod}: {Error}")]
    private partial void LogMissing(string? @namespace, string? pod, string error);
}
