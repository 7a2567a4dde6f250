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
    private static readonly TimeSpan WarmInterval = TimeSpan.FromMinutes(10);

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
    private readonly ClusterCertificate? _certificate;
    private readonly KubeletServer _server;
    private int _hasStopped;

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
        _lease = new NodeLease(leaseClient, options.NodeName, options.HostIdentity, time, log) { HasEnded = options.HasEnded };
        var fenced = new FencedClient(client, _lease.WaitUntilSureAsync);
        _statuses = new PodStatusWriter(fenced, FindPod, time, log);
        var hooked = cells with { AfterPodEnded = _lastLogs.KeepAsync, BeforeForgotten = TellEndAsync, BeforeEffect = _lease.WaitUntilSureAsync };
        Cells = new CellManager(hooked, driver, store, agents, time, loggers.CreateLogger<CellManager>());
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
        _certificate = options.ServingCertificate is null
            ? new ClusterCertificate(options.NodeName, options.InternalIP, options.ServingCertificateFile, client, _events, time, Random.Shared, log)
            : null;
        _server = new KubeletServer(
            new KubeletServerOptions
            {
                NodeName = options.NodeName,
                Address = options.ListenAddress,
                Port = options.KubeletPort,
                PlainMetrics = options.PlainMetrics,
                Certificate = options.ServingCertificate ?? (() => _certificate!.Current),
            },
            new PodHost(_pods, Cells, _lastLogs),
            new KubeletAuthenticator(() => _authorities.Current, client, time, log),
            new KubeletAuthorizer(client, options.NodeName, time),
            time,
            loggers);
        _node = new NodeController(client, new NodeDescription(options, () => _server.Port), time, log);
        var podEvents = new PodEvents(_events);
        _objects = new WatchedObjects(client, time, Random.Shared, loggers.CreateLogger<WatchedObjects>());
        _resolver = new PodResolver(_objects, new ClusterDns(options.ClusterDns, options.ClusterDomain), podEvents, time, loggers.CreateLogger<PodResolver>());
        _controller = new PodController(fenced, _pods, Cells, _resolver, _statuses, podEvents, _lastLogs, time, log);
    }

    /// <summary>The cells of this node.</summary>
    public CellManager Cells { get; }

    /// <summary>Completes when no other host looks after the node any more and this one does.</summary>
    public Task Leading => _lease.Acquired;

    /// <summary>Completes when the node object is there and the pods bound to it are known.</summary>
    public Task Ready => Task.WhenAll(_node.Registered, _pods.WaitForSyncAsync(CancellationToken.None));

    /// <summary>
    /// Registers the node and looks after its pods until it is cancelled. Then the node says that nobody looks after it, and its pods go on.
    /// </summary>
    /// <exception cref="IOException">The port of the kubelet API, or that of its plain metrics, is taken.</exception>
    /// <exception cref="InvalidOperationException">Another host has taken the node.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<Task> loops = [KeepWarmAsync(stop.Token)];
        Task? first = null;
        var starting = Task.CompletedTask;
        try
        {
            var taken = await _lease.AcquireAsync(cancellationToken).ConfigureAwait(false);
            _controller.ToldUntil = taken.LastRenewed;
            loops.Add(_lease.RunAsync(_node.Registered, stop.Token));
            await _server.StartAsync(cancellationToken).ConfigureAwait(false);
            // What this host has cached of the pods while it waited might be older than what the host before it did: all is read now.
            loops.AddRange([_node.RunAsync(stop.Token), _pods.RunAsync(stop.Token), _events.RunAsync(stop.Token), _authorities.RunAsync(stop.Token)]);
            if (_certificate is not null)
            {
                loops.Add(_certificate.RunAsync(stop.Token));
            }

            starting = Cells.StartAsync(supersede: taken.IsForced, stop.Token);

            // None of the loops ends by itself: when one does, it has failed, and a node that half works is worse than one that says so.
            first = await Task.WhenAny([starting, .. loops]).ConfigureAwait(false);
            if (first == starting)
            {
                await starting.ConfigureAwait(false);
                loops.Add(_controller.RunAsync(_options.Workers, stop.Token));
                first = await Task.WhenAny(loops).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // While it waited for its turn, or just afterwards.
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            foreach (var loop in loops.Append(starting))
            {
                await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            // The next host begins as soon as the lease is free.
            await StopActingAsync().ConfigureAwait(false);
            await GiveBackAsync().ConfigureAwait(false);
        }

        if (first is not null && !cancellationToken.IsCancellationRequested)
        {
            await first.ConfigureAwait(false);
            throw new InvalidOperationException("a part of the virtual node ended although nobody asked it to");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync().ConfigureAwait(false);
        _certificate?.Dispose();
        await StopActingAsync().ConfigureAwait(false);
        _resolver.Dispose();
        await _objects.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StopActingAsync()
    {
        if (Interlocked.Exchange(ref _hasStopped, 1) == 0)
        {
            await Cells.DisposeAsync().ConfigureAwait(false);
            await _controller.DisposeAsync().ConfigureAwait(false);
            await _statuses.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task GiveBackAsync()
    {
        if (_lease.Acquired.IsCompleted && !_lease.IsLost)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5), _time);
            await _node.SayGoodbyeAsync(limit.Token).ConfigureAwait(false);
            await _lease.ReleaseAsync(limit.Token).ConfigureAwait(false);
        }
    }

    private async Task KeepWarmAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await Cells.WarmUpAsync(cancellationToken).ConfigureAwait(false);
            await Task.Delay(WarmInterval, _time, cancellationToken).ConfigureAwait(false);
        }
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
