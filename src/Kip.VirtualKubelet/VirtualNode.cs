using System.Security.Cryptography.X509Certificates;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Nodes;
using Kip.VirtualKubelet.Pods;
using Kip.VirtualKubelet.Resolution;
using Kip.VirtualKubelet.Server;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet;

/// <summary>
/// A node of a Kubernetes cluster that is no machine: every pod bound to it gets a cell. Cells and their pods go on when this ends, and
/// the next one with the same name and store takes them up.
/// </summary>
public sealed class VirtualNode : IAsyncDisposable
{
    private readonly VirtualNodeOptions _options;
    private readonly TimeProvider _time;
    private readonly LastLogs _lastLogs = new();
    private readonly PodStatusWriter _statuses;
    private readonly Informer<Pod> _pods;
    private readonly NodeController _node;
    private readonly NodeLease _lease;
    private readonly EventRecorder _events;
    private readonly PodController _controller;
    private readonly WatchedObjects _objects;
    private readonly PodResolver _resolver;
    private readonly ClientAuthorities _authorities;
    private readonly X509Certificate2? _ownCertificate;
    private readonly KubeletServer _server;

    /// <summary>Makes the node; <see cref="RunAsync"/> sets it to work.</summary>
    /// <param name="options">What the node says of itself.</param>
    /// <param name="client">Calls the API server.</param>
    /// <param name="leaseClient">
    /// Calls it for the node's lease only. Give it connections and a rate limit of its own, so that no other call delays a renewal.
    /// </param>
    /// <param name="cells">How cells are made; <see cref="CellManagerOptions.AfterPodEnded"/> and
    /// <see cref="CellManagerOptions.BeforeForgotten"/> are used by the node itself.</param>
    /// <param name="driver">The cloud.</param>
    /// <param name="store">Where cells are remembered.</param>
    /// <param name="agents">How agents are reached.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes loggers.</param>
    public VirtualNode(
        VirtualNodeOptions options,
        IKubernetesClient client,
        IKubernetesClient leaseClient,
        CellManagerOptions cells,
        ICellDriver driver,
        ICellStore store,
        ICellAgentConnector agents,
        TimeProvider time,
        ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(cells);
        _options = options;
        _time = time;
        var log = loggers.CreateLogger<VirtualNode>();
        _statuses = new PodStatusWriter(client, FindPod, time, log);
        Cells = new CellManager(cells with { AfterPodEnded = _lastLogs.KeepAsync, BeforeForgotten = TellEndAsync }, driver, store, agents, time, loggers.CreateLogger<CellManager>());
        _pods = new Informer<Pod>(
            client,
            Resources.Pods,
            new InformerOptions<Pod> { Namespace = options.Namespace, FieldSelector = $"spec.nodeName={options.NodeName}" },
            time,
            Random.Shared,
            log);
        _events = new EventRecorder(
            client,
            new EventRecorderOptions { Component = "kip", Host = options.NodeName, Capacity = 10_000 },
            time,
            Random.Shared,
            loggers.CreateLogger<EventRecorder>());
        _authorities = new ClientAuthorities(client, time, log);
        _ownCertificate = options.ServingCertificate is null ? SelfSignedCertificate.Create(options.NodeName, options.InternalIP, time.GetUtcNow()) : null;
        _server = new KubeletServer(
            new KubeletServerOptions
            {
                NodeName = options.NodeName,
                Address = options.ListenAddress,
                Port = options.KubeletPort,
                Certificate = options.ServingCertificate ?? (() => _ownCertificate!),
            },
            new PodHost(_pods, Cells, _lastLogs),
            new KubeletAuthenticator(() => _authorities.Current, client, time, log),
            new KubeletAuthorizer(client, options.NodeName, time),
            time,
            loggers);
        _node = new NodeController(client, new NodeDescription(options, () => _server.Port), time, log);
        _lease = new NodeLease(leaseClient, options.NodeName, options.HostIdentity, time, log);
        var podEvents = new PodEvents(_events);
        _objects = new WatchedObjects(client, time, Random.Shared, loggers.CreateLogger<WatchedObjects>());
        _resolver = new PodResolver(_objects, new ClusterDns(options.ClusterDns, options.ClusterDomain), podEvents, time, loggers.CreateLogger<PodResolver>());
        _controller = new PodController(client, _pods, Cells, _resolver, _statuses, podEvents, _lastLogs, time, log);
    }

    /// <summary>The cells of this node.</summary>
    public CellManager Cells { get; }

    /// <summary>Completes when the node object is there and the pods bound to it are known.</summary>
    public Task Ready => Task.WhenAll(_node.Registered, _pods.WaitForSyncAsync(CancellationToken.None));

    /// <summary>
    /// Registers the node and looks after its pods until it is cancelled. Then the node says that nobody looks after it, and its pods go on.
    /// </summary>
    /// <exception cref="IOException">The port of the kubelet API is taken.</exception>
    /// <exception cref="InvalidOperationException">Another host has taken the node.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            _controller.ToldUntil = await _lease.AcquireAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return; // while it waited for its turn
        }

        await _server.StartAsync(cancellationToken).ConfigureAwait(false);
        await Cells.StartAsync(cancellationToken).ConfigureAwait(false);
        Task[] loops =
        [
            _lease.RunAsync(_node.Registered, stop.Token),
            _node.RunAsync(stop.Token),
            _pods.RunAsync(stop.Token),
            _events.RunAsync(stop.Token),
            _authorities.RunAsync(stop.Token),
            _controller.RunAsync(_options.Workers, stop.Token),
        ];

        // None of them ends by itself: when one does, it has failed, and a node that half works is worse than one that says so.
        var first = await Task.WhenAny(loops).ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        foreach (var loop in loops)
        {
            await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5), _time);
        await _node.SayGoodbyeAsync(limit.Token).ConfigureAwait(false);
        await _lease.ReleaseAsync(limit.Token).ConfigureAwait(false);
        if (!cancellationToken.IsCancellationRequested)
        {
            await first.ConfigureAwait(false);
            throw new InvalidOperationException("a part of the virtual node ended although nobody asked it to");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync().ConfigureAwait(false);
        _ownCertificate?.Dispose();
        await Cells.DisposeAsync().ConfigureAwait(false);
        await _controller.DisposeAsync().ConfigureAwait(false);
        _resolver.Dispose();
        await _objects.DisposeAsync().ConfigureAwait(false);
        await _statuses.DisposeAsync().ConfigureAwait(false);
    }

    private Pod? FindPod(PodReference pod) =>
        _pods.Get(new ObjectKey(pod.Namespace, pod.Name)) is { } there && there.Metadata.Uid == pod.Uid ? there : null;

    // How a pod ended must be known to the API server before Kip forgets it.
    private Task TellEndAsync(Cell cell, CancellationToken cancellationToken)
    {
        if (cell.Record is not { ClaimedAt: not null, FinalStatus: { } final, Pod: { } pod })
        {
            return Task.CompletedTask;
        }

        _statuses.Set(pod, final);
        return _statuses.FlushAsync(pod.Uid, cancellationToken);
    }
}
