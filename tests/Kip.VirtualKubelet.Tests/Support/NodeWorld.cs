using System.Net;
using Kip.Cells;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests.Support;

/// <summary>All tests with a control plane share one, one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<SharedControlPlane>
{
    public const string Name = "cluster";
}

/// <summary>A namespace of a real cluster and a virtual node of its own over a simulated cloud; hosts of the node come and go like processes.</summary>
internal sealed class NodeWorld : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _directory = Directory.CreateTempSubdirectory("kip-node-").FullName;
    private readonly List<NodeProcess> _processes = [];

    private NodeWorld(ControlPlane plane, KubernetesClient client, SimulatedCloudOptions? options, TimeProvider? time)
    {
        Time = time ?? TimeProvider.System;
        Plane = plane;
        Client = client;
        Name = $"t{Guid.NewGuid():N}"[..12];
        Cloud = new SimulatedCloud(
            Time,
            options ?? new SimulatedCloudOptions { CallTime = TimeSpan.Zero, Plan = static _ => Instant, Script = static _ => PodScript.Forever });
    }

    /// <summary>Runs and answers as soon as it is launched, and ends as soon as it is told to.</summary>
    public static InstancePlan Instant { get; } = new()
    {
        RunningAfter = TimeSpan.Zero,
        AgentReadyAfter = TimeSpan.Zero,
        TerminationTime = TimeSpan.Zero,
    };

    public ControlPlane Plane { get; }

    public KubernetesClient Client { get; }

    /// <summary>The clock of cloud and hosts.</summary>
    public TimeProvider Time { get; }

    public SimulatedCloud Cloud { get; }

    /// <summary>Name of the namespace and of the node.</summary>
    public string Name { get; }

    /// <summary>Cells that hosts keep ready.</summary>
    public IReadOnlyList<StandbyCells> StandbyCells { get; set; } = [];

    public bool ReplacesAtRebalance { get; set; }

    public IReadOnlyList<SimulatedInstance> Alive => [.. Cloud.Instances.Where(static i => i.IsAlive)];

    public static async Task<NodeWorld> CreateAsync(ControlPlane plane, SimulatedCloudOptions? options = null, TimeProvider? time = null)
    {
        // A test before this one may have failed between killing the API server and starting it again.
        await plane.StartAsync(ControlPlane.ApiServer);
        var configuration = await KubernetesConfiguration.LoadAsync(plane.Kubeconfig, null, TimeProvider.System, default);
        var world = new NodeWorld(plane, new KubernetesClient(configuration, null, TimeProvider.System), options, time);
        await plane.KubectlAsync("create", "namespace", world.Name);
        await EventuallyAsync("the namespace's service account", async () =>
            (await plane.TryKubectlAsync(null, "get", "serviceaccount", "default", "-n", world.Name)).ExitCode == 0);
        return world;
    }

    /// <summary>Starts a host of the node, and waits until the node is there and its pods are known.</summary>
    /// <param name="identity">Another one than usual for a host that does not know of the others.</param>
    /// <param name="kill">Ends it on its way; never when null.</param>
    /// <param name="troubles">Of its calls to the API server; none when null.</param>
    /// <param name="time">A clock of its own.</param>
    public async Task<NodeProcess> StartAsync(string identity = "host", KillSwitch? kill = null, Troubles? troubles = null, TimeProvider? time = null)
    {
        var process = await NodeProcess.StartAsync(this, Path.Combine(_directory, "kip.db"), identity, kill, troubles, time ?? Time);
        _processes.Add(process);
        return process;
    }

    public async Task ApplyPodAsync(string name, string? spec = null) => await Plane.ApplyAsync(
        $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {Name}}}\nspec: {spec ?? PodSpec()}\n");

    public string PodSpec(string more = "") =>
        $"{{nodeName: {Name}, restartPolicy: Never, automountServiceAccountToken: false{more}, containers: [{{name: main, image: busybox}}]}}";

    public Task<string> KubectlAsync(params string[] arguments) => Plane.KubectlAsync([.. arguments, "-n", Name]);

    public async Task<Pod?> FindPodAsync(string name)
    {
        try
        {
            return await Client.GetAsync(Resources.Pods, new ObjectKey(Name, name), default);
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    public async Task<Pod> PodAsync(string name, string what, Func<Pod, bool> condition)
    {
        Pod? last = null;
        try
        {
            await EventuallyAsync($"pod {name} {what}", async () => (last = await FindPodAsync(name)) is { } pod && condition(pod));
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; it is {(last is null ? "gone" : last.Status?.Phase)}; events:\n{await KubectlAsync("get", "events")}", e);
        }

        return last!;
    }

    public Task<Pod> RunningAsync(string name) => PodAsync(name, "to run", static p => p.Status?.Phase == PodPhase.Running);

    public Task GoneAsync(string name) => EventuallyAsync($"pod {name} to be gone", async () => await FindPodAsync(name) is null);

    public static async Task EventuallyAsync(string what, Func<Task<bool>> condition)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                throw new TimeoutException($"waited {Patience.TotalSeconds:0} s for {what}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        }
    }

    public Task NoInstancesAsync() => EventuallyAsync("all instances to have ended", () => Task.FromResult(Alive.Count == 0));

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }

        await Plane.TryKubectlAsync(null, "delete", "pods", "--all", "-n", Name, "--grace-period=0", "--force", "--wait=false");
        await Plane.TryKubectlAsync(null, "delete", "node", Name, "--ignore-not-found");
        await Plane.TryKubectlAsync(null, "delete", "namespace", Name, "--wait=false");
        Client.Dispose();
        Cloud.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>One host of a node.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private readonly CancellationTokenSource _lifetime = new();
    private readonly VirtualNode _node;
    private readonly IReadOnlyList<KubernetesClient> _clients;
    private readonly Task _running;

    private NodeProcess(VirtualNode node, IReadOnlyList<KubernetesClient> clients)
    {
        _node = node;
        _clients = clients;
        _running = node.RunAsync(_lifetime.Token);
    }

    public CellManager Cells => _node.Cells;

    /// <summary>Whether it has given up.</summary>
    public bool HasEnded => _running.IsCompleted;

    public static async Task<NodeProcess> StartAsync(NodeWorld world, string store, string identity, KillSwitch? kill, Troubles? troubles, TimeProvider time)
    {
        var configuration = await KubernetesConfiguration.LoadAsync(world.Plane.Kubeconfig, null, TimeProvider.System, default);
        KubernetesClient[] clients = [new(configuration, null, time), new(configuration, null, time)];
        var node = new VirtualNode(
            new VirtualNodeOptions
            {
                NodeName = world.Name,
                HostIdentity = identity,
                InternalIP = IPAddress.Loopback,
                KubeletPort = 0,
                Version = "v1.20.0-kip-test",
                Labels = new Dictionary<string, string> { ["test"] = world.Name },
            },
            Client(clients[0]),
            Client(clients[1]),
            new CellManagerOptions
            {
                Owner = "node-" + world.Name,
                ControllerCa = "pem",
                ObserveInterval = TimeSpan.FromMilliseconds(200),
                StandbyCells = world.StandbyCells,
                ReplacesAtRebalance = world.ReplacesAtRebalance,
            },
            Guard(world.Cloud.CreateDriver("kip-test")),
            Guard<ICellStore>(await SqliteCellStore.OpenAsync(store, default)),
            Guard(world.Cloud.CreateConnector()),
            time,
            NullLoggerFactory.Instance);
        var process = new NodeProcess(node, clients);
        var ready = await Task.WhenAny(node.Ready, process._running, kill?.Killed ?? node.Ready);
        await ready;
        return process;

        IKubernetesClient Client(KubernetesClient target) => ((ICallInterceptor?)kill ?? troubles) is { } interceptor ? new InterceptedClient(target, interceptor) : target;

        T Guard<T>(T target)
            where T : class => kill?.Guard(target) ?? target;
    }

    /// <summary>Ends the host; the cells go on.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_lifetime.IsCancellationRequested)
        {
            await _lifetime.CancelAsync();
            await _running;
            await _node.DisposeAsync();
            foreach (var client in _clients)
            {
                client.Dispose();
            }
        }
    }
}
