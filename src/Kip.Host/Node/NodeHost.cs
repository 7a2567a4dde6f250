using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Host.Configuration;
using Kip.Host.Standalone;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.VirtualKubelet;
using Kip.VirtualKubelet.Server;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Node;

/// <summary>The virtual node of one process: its cells and their records where provider.yaml says, its pods at an API server.</summary>
internal static class NodeHost
{
    // What clusters check of a kubelet is its version; Kip keeps to what the oldest one it supports had.
    private const string KubeletVersion = "v1.20.0-kip-";

    /// <summary>Runs until it is cancelled. The cells and their pods go on.</summary>
    /// <param name="settings">What to do.</param>
    /// <param name="onReady">Called when the node is registered and its pods are known.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HostException">The state folder, the cloud or the cluster cannot be used.</exception>
    public static async Task RunAsync(NodeSettings settings, Action<VirtualNodeOptions, Uri> onReady, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        try
        {
            var cluster = await KubernetesConfiguration.LoadAsync(settings.Kubeconfig, null, time, cancellationToken).ConfigureAwait(false);
            cluster = settings.Server is { } server ? cluster with { Server = server } : cluster;
            var calls = new KubernetesClientOptions { UserAgent = "kip/" + KipVersion.Text, RequestsPerSecond = settings.ApiQps };
            using var client = new KubernetesClient(cluster, settings.ApiBurst is { } burst ? calls with { Burst = burst } : calls, time);
            using var leaseClient = new KubernetesClient(cluster, calls with { RequestsPerSecond = null }, time);
            using var memory = await NodeMemory.OpenAsync(settings, client, cluster.Namespace, time, loggers, cancellationToken).ConfigureAwait(false);
            using var cloud = NodeCloud.Open(settings.Host, settings.InstanceData, memory.Authority.Id, time, loggers);
            var store = await memory.OpenRecordsAsync(cloud, cancellationToken).ConfigureAwait(false);
            var node = Describe(settings, cluster, memory);
            await using var virtualNode = new VirtualNode(
                node,
                client,
                leaseClient,
                settings.Host.CellOptions(memory.Owner, memory.Authority, cloud) with
                {
                    StandbyCells = settings.Host.Provider.Cells.StandbyCells,
                    StandbyBudgetPerHour = settings.Host.Provider.Cells.StandbyBudgetPerHour,
                },
                cloud.Driver,
                store,
                new GrpcAgentConnector(memory.Authority, time, loggers.CreateLogger<GrpcAgentConnector>()),
                time,
                loggers);
            var running = virtualNode.RunAsync(cancellationToken);
            await Task.WhenAny(virtualNode.Leading, running).ConfigureAwait(false); // a host in waiting is as it should be
            await ReadyAsync(virtualNode.Ready, running, settings.StartupTimeout, time).ConfigureAwait(false);
            if (!running.IsCompleted)
            {
                onReady(node, cluster.Server);
            }

            await running.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // It was told to end before it had begun.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DriverException or KubernetesConfigurationException or CryptographicException or SocketException or InvalidOperationException or KubernetesApiException)
        {
            throw new HostException(ExitCodes.KipFailed, e.Message, e);
        }
    }

    private static async Task ReadyAsync(Task ready, Task running, TimeSpan? limit, TimeProvider time)
    {
        try
        {
            await Task.WhenAny(ready, running).WaitAsync(limit ?? Timeout.InfiniteTimeSpan, time).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new HostException(ExitCodes.KipFailed, $"the node was not ready within {limit!.Value.TotalSeconds:0} s (--startup-timeout)", e);
        }
    }

    private static VirtualNodeOptions Describe(NodeSettings settings, KubernetesConfiguration cluster, NodeMemory memory) => new()
    {
        NodeName = settings.NodeName,
        HostIdentity = memory.Identity,
        HasEnded = memory.HasEnded,
        InternalIP = settings.InternalIP ?? OwnAddress(cluster.Server),
        KubeletPort = settings.KubeletPort,
        ServingCertificate = settings.ServingCertificate is var (certificate, key) ? Files(new CertificateFiles(certificate, key)) : null,
        ServingCertificateFile = Path.Combine(settings.Host.StateDirectory, $"serving-{settings.NodeName}.pem"),
        PlainMetrics = settings.MetricsAddress,
        Namespace = settings.Namespace ?? "",
        ClusterDns = settings.ClusterDns is { } dns ? [dns] : [],
        ClusterDomain = settings.ClusterDomain,
        Labels = settings.Host.Provider.Kubelet.Labels,
        Taints = settings.Taint is { } taint ? [taint] : [],
        Capacity = settings.Host.Provider.Kubelet.Capacity,
        Version = KubeletVersion + KipVersion.Text,
        Workers = settings.Workers,
    };

    private static Func<SslStreamCertificateContext> Files(CertificateFiles files) => () => files.Current;

    // That by which this machine reaches the API server, which therefore can reach this machine by it. Nothing is sent.
    private static IPAddress OwnAddress(Uri server)
    {
        using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(server.DnsSafeHost, server.Port);
        var address = ((IPEndPoint)socket.LocalEndPoint!).Address;
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }
}
