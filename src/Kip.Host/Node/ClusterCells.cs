using System.Security.Cryptography;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Host.Configuration;
using Kip.Host.Standalone;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Node;

/// <summary>The cells of the nodes of a cluster, whose records are in it, for commands that are no host of theirs.</summary>
internal sealed class ClusterCells : IDisposable
{
    // As long as another host would wait for the lease, and a look more.
    private static readonly TimeSpan Watch = TimeSpan.FromSeconds(12);

    private readonly HostSettings _settings;
    private readonly KubernetesClient _client;
    private readonly CertificateAuthority _authority;
    private readonly ILoggerFactory _loggers;

    private ClusterCells(HostSettings settings, KubernetesClient client, CertificateAuthority authority, ILoggerFactory loggers)
    {
        (_settings, _client, _authority, _loggers) = (settings, client, authority, loggers);
        Store = new KubernetesCellStore(
            client, settings.Provider.ControllerId ?? NodeCloud.ControllerIdOf(authority.Id), TimeProvider.System, loggers.CreateLogger<KubernetesCellStore>());
    }

    public ICellStore Store { get; }

    /// <exception cref="HostException">The cluster cannot be asked, or no host has records in it.</exception>
    public static Task<ClusterCells> OpenAsync(HostSettings settings, string? kubeconfig, ILoggerFactory loggers, CancellationToken cancellationToken) => ExplainAsync(async () =>
    {
        var time = TimeProvider.System;
        var cluster = await KubernetesConfiguration.LoadAsync(kubeconfig, null, time, cancellationToken).ConfigureAwait(false);
        var client = new KubernetesClient(cluster, new KubernetesClientOptions { UserAgent = "kip/" + KipVersion.Text }, time);
        try
        {
            var secret = new ObjectKey(cluster.Namespace, NodeMemory.SecretName);
            if (await client.FindAsync(Resources.Secrets, secret, cancellationToken).ConfigureAwait(false) is null)
            {
                throw new HostException(ExitCodes.KipFailed, $"{cluster.Server} has no Secret {secret}: no host of this namespace has its records there");
            }

            var authority = await CertificateAuthority.LoadOrCreateAsync(client, secret, time, loggers.CreateLogger<CertificateAuthority>(), cancellationToken).ConfigureAwait(false);
            return new ClusterCells(settings, client, authority, loggers);
        }
        catch
        {
            client.Dispose();
            throw;
        }
    });

    /// <summary>Ends the cells of a virtual node, whose hosts must not run.</summary>
    /// <param name="node">The node.</param>
    /// <param name="onWait">Told what is waited for, when that takes a while.</param>
    /// <param name="cancellationToken">Ends the call; what was begun goes on at the next.</param>
    /// <exception cref="HostException">One runs, or the cloud cannot be used.</exception>
    public Task<IReadOnlyList<CellRecord>> EndNodeAsync(string node, Action<string> onWait, CancellationToken cancellationToken) => ExplainAsync(async () =>
    {
        var time = TimeProvider.System;
        await CheckNoHostAsync(node, onWait, time, cancellationToken).ConfigureAwait(false);
        using var cloud = NodeCloud.Open(_settings, null, _authority.Id, time, _loggers);
        await using var manager = new CellManager(
            _settings.CellOptions($"delete-{RandomNumberGenerator.GetHexString(10, lowercase: true)}", _authority, cloud),
            cloud.Driver,
            Store,
            new GrpcAgentConnector(_authority, time, _loggers.CreateLogger<GrpcAgentConnector>()),
            time,
            _loggers.CreateLogger<CellManager>());
        await manager.StartAsync(cancellationToken).ConfigureAwait(false);
        return (await manager.CollectAsync(r => r.Owner == StandaloneHost.NodeOwner(node), cancellationToken).ConfigureAwait(false)).Cells;
    });

    public void Dispose()
    {
        _authority.Dispose();
        _client.Dispose();
    }

    // No clock is believed: a host that lives renews its lease within the time.
    private async Task CheckNoHostAsync(string node, Action<string> onWait, TimeProvider time, CancellationToken cancellationToken)
    {
        var before = await LeaseAsync().ConfigureAwait(false);
        if (before is not { Spec.HolderIdentity: { Length: > 0 } holder })
        {
            return;
        }

        onWait($"the last host of node {node}, {holder}, has not given it back; looking for {Watch.TotalSeconds:0} s whether it lives");
        await Task.Delay(Watch, time, cancellationToken).ConfigureAwait(false);
        if (await LeaseAsync().ConfigureAwait(false) is { } after && after.Metadata.ResourceVersion != before.Metadata.ResourceVersion)
        {
            throw new HostException(ExitCodes.KipFailed, $"node {node} has a host, {holder}: end it first (its cells go on until they are deleted)");
        }

        Task<Lease?> LeaseAsync() => _client.FindAsync(Resources.Leases, new ObjectKey("kube-node-lease", node), cancellationToken);
    }

    private static async Task<T> ExplainAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DriverException or KubernetesConfigurationException or CryptographicException or KubernetesApiException)
        {
            throw new HostException(ExitCodes.KipFailed, e.Message, e);
        }
    }
}
