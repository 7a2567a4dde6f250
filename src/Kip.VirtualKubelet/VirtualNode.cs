using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Nodes;
using Kip.VirtualKubelet.Pods;
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
    private readonly PodStatusWriter _statuses;
    private readonly Informer<Pod> _pods;
    private readonly NodeController _node;
    private readonly NodeLease _lease;
    private readonly EventRecorder _events;
    private readonly PodController _controller;

    /// <summary>Makes the node; <see cref="RunAsync"/> sets it to work.</summary>
    /// <param name="options">What the node says of itself.</param>
    /// <param name="client">Calls the API server.</param>
    /// <param name="leaseClient">
    /// Calls it for the node's lease only. Give it connections and a rate limit of its own, so that no other call delays a renewal.
    /// </param>
    /// <param name="cells">How cells are made; <see cref="CellManagerOptions.BeforeForgotten"/> is used by the node itself.</param>
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
        _statuses = new PodStatusWriter(client, time, log);
        Cells = new CellManager(cells with { BeforeForgotten = TellEndAsync }, driver, store, agents, time, loggers.CreateLogger<CellManager>());
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
        var description = new NodeDescription(options);
        _node = new NodeController(client, description, time, log);
        _lease = new NodeLease(leaseClient, options.NodeName, time, log);
        _controller = new PodController(client, _pods, Cells, new PlainResolver(), _statuses, new PodEvents(_events), time, log);
    }

    /// <summary>The cells of this node.</summary>
    public CellManager Cells { get; }

    /// <summary>Completes when the node object is there and the pods bound to it are known.</summary>
    public Task Ready => Task.WhenAll(_node.Registered, _pods.WaitForSyncAsync(CancellationToken.None));

    /// <summary>
    /// Registers the node and looks after its pods until it is cancelled. Then the node says that nobody looks after it, and its pods go on.
    /// </summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Cells.StartAsync(cancellationToken).ConfigureAwait(false);
        Task[] loops =
        [
            _lease.RunAsync(_node.Registered, stop.Token),
            _node.RunAsync(stop.Token),
            _pods.RunAsync(stop.Token),
            _events.RunAsync(stop.Token),
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
        if (!cancellationToken.IsCancellationRequested)
        {
            await first.ConfigureAwait(false);
            throw new InvalidOperationException("a part of the virtual node ended although nobody asked it to");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Cells.DisposeAsync().ConfigureAwait(false);
        await _controller.DisposeAsync().ConfigureAwait(false);
        await _statuses.DisposeAsync().ConfigureAwait(false);
    }

    // How a pod ended must be known to the API server before Kip forgets it.
    private Task TellEndAsync(Cell cell, CancellationToken cancellationToken)
    {
        if (cell.Record is not { ClaimedAt: not null, FinalStatus: { } final, Pod: var pod })
        {
            return Task.CompletedTask;
        }

        _statuses.Set(pod, final);
        return _statuses.FlushAsync(pod.Uid, cancellationToken);
    }
}
