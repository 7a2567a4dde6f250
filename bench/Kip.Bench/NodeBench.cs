using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.VirtualKubelet;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Bench;

/// <summary>
/// The virtual node against a real API server, on a simulated cloud that boots in no time. The node is a process of its own, whose
/// processor time and memory are measured; this one makes the pods and watches.
/// </summary>
internal static class NodeBench
{
    private const string Node = "bench";
    private const string Namespace = "default";
    private const int WarmCells = 60;
    private static readonly TimeSpan WarmBoot = TimeSpan.FromSeconds(20);

    public static async Task RunAsync(string kubeconfig, IReadOnlyList<int> bursts)
    {
        Console.WriteLine($"virtual node, simulated cloud, API server 1.20 on the same machine; {Measured.Machine()}");
        using var host = Start(kubeconfig, "cold");
        var configuration = await KubernetesConfiguration.LoadAsync(kubeconfig, null, TimeProvider.System, default);
        using var client = new KubernetesClient(configuration, null, TimeProvider.System);
        using var ending = new CancellationTokenSource();
        var pods = new Informer<Pod>(client, Resources.Pods, new InformerOptions<Pod> { Namespace = Namespace }, TimeProvider.System, Random.Shared, NullLogger.Instance);
        var watch = new Watch();
        pods.Subscribe(watch.See);
        var watching = pods.RunAsync(ending.Token);
        await pods.WaitForSyncAsync(default);
        await BurstAsync(client, watch, host, 20, "warm-up");
        foreach (var count in bursts)
        {
            await BurstAsync(client, watch, host, count, $"{count} at once");
        }

        await ApiServerAloneAsync(client, bursts.Count > 0 ? bursts[^1] : 1000);
        await PacedAsync(client, watch, host, 50, 1000);
        await PacedAsync(client, watch, host, 200, 2000);
        var launched = await EndAsync(host);
        PrintDecisions(watch, launched, 50);
        PrintDecisions(watch, launched, 200);

        using var warm = Start(kubeconfig, "warm");
        await PacedAsync(client, watch, warm, 5, 50);
        var cold = (await EndAsync(warm)).Count(static l => l.Key.Length > 0);
        Console.WriteLine($"  the same, on standby cells of a cloud that takes {WarmBoot.TotalSeconds:0} s to boot; {cold} of them had to wait for a boot");
        await ending.CancelAsync();
        await watching;
    }

    /// <summary>The process that is measured: a node until its standard input ends.</summary>
    /// <param name="kubeconfig">Of the API server.</param>
    /// <param name="isWarm">Whether boots take long and cells are kept ready.</param>
    public static async Task HostAsync(string kubeconfig, bool isWarm)
    {
        var launches = new ConcurrentQueue<(string Pod, long At)>();
        var state = Directory.CreateTempSubdirectory("kip-bench-").FullName;
        var time = TimeProvider.System;
        var configuration = await KubernetesConfiguration.LoadAsync(kubeconfig, null, time, default);
        using var client = new KubernetesClient(configuration, null, time);
        using var leaseClient = new KubernetesClient(configuration, null, time);
        using var cloud = new SimulatedCloud(time, new SimulatedCloudOptions
        {
            CallTime = TimeSpan.Zero,
            Plan = request =>
            {
                launches.Enqueue((request.Tags.GetValueOrDefault(InstanceTags.PodName, ""), Stopwatch.GetTimestamp()));
                var boot = isWarm ? WarmBoot : TimeSpan.Zero;
                return new InstancePlan { RunningAfter = boot, AgentReadyAfter = boot, TerminationTime = TimeSpan.Zero };
            },
            Script = static _ => PodScript.Forever,
            TerminatedVisible = TimeSpan.FromSeconds(1),
        });
        await using var node = new VirtualNode(
            new VirtualNodeOptions { NodeName = Node, HostIdentity = Node, InternalIP = IPAddress.Loopback, KubeletPort = 0, Version = "v1.20.0-kip", Workers = 50 },
            client,
            leaseClient,
            new CellManagerOptions { Owner = Node, ControllerCa = "pem", StandbyCells = isWarm ? [new StandbyCells("sim.nano", WarmCells)] : [] },
            cloud.CreateDriver(Node),
            await SqliteCellStore.OpenAsync(Path.Combine(state, "kip.db"), default),
            cloud.CreateConnector(),
            time,
            NullLoggerFactory.Instance);
        using var ending = new CancellationTokenSource();
        var running = node.RunAsync(ending.Token);
        await await Task.WhenAny(node.Ready, running);
        while (isWarm && node.Cells.Standby.Count(static r => r.State == CellState.Ready) < WarmCells)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), time, default);
        }

        Console.WriteLine("ready");
        while (await Console.In.ReadLineAsync() is not null)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{GC.GetTotalAllocatedBytes()} {GC.GetGCMemoryInfo().TotalCommittedBytes}"));
        }

        foreach (var (pod, at) in launches)
        {
            Console.WriteLine($"{pod} {at}");
        }

        await ending.CancelAsync();
        await running;
        Directory.Delete(state, recursive: true);
    }

    /// <summary>Ends the process, which says when it launched a cell for which pod; both clocks are the machine's monotonic one.</summary>
    private static async Task<Dictionary<string, long>> EndAsync(Process host)
    {
        host.StandardInput.Close();
        var lines = (await host.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await host.WaitForExitAsync();
        return lines.Select(static line => line.Split(' ')).GroupBy(static l => l[0]).ToDictionary(
            static l => l.Key, static l => long.Parse(l.First()[1], CultureInfo.InvariantCulture));
    }

    private static void PrintDecisions(Watch watch, Dictionary<string, long> launched, int perSecond)
    {
        var all = launched
            .Where(l => l.Key.StartsWith($"p{perSecond}-", StringComparison.Ordinal))
            .Select(l => Stopwatch.GetElapsedTime(watch.Created(l.Key), l.Value).TotalMilliseconds)
            .Order()
            .ToList();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  paced {perSecond}: create call to launch call   p50 {all[all.Count / 2],7:0.0} ms   p99 {all[(int)(all.Count * 0.99)],7:0.0} ms"));
    }

    private static Process Start(string kubeconfig, string mode)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [typeof(NodeBench).Assembly.Location, "node-host", kubeconfig, mode])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var host = Process.Start(start) ?? throw new InvalidOperationException("the node did not start");
        return host.StandardOutput.ReadLine() == "ready" ? host : throw new InvalidOperationException("the node did not become ready");
    }

    private static async Task BurstAsync(KubernetesClient client, Watch watch, Process host, int count, string what)
    {
        await SettleAsync(host);
        var (allocatedBefore, _) = await HeapAsync(host);
        var before = Cpu(host);
        var begin = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, (i, ct) => CreateAsync(client, watch, $"b{i}", ct));
        await watch.AllRunAsync(count);
        var took = Stopwatch.GetElapsedTime(begin);
        var created = Cpu(host) - before;
        host.Refresh();
        var resident = host.WorkingSet64 / 1e6;
        Print(what, count / took.TotalSeconds, watch.Latencies(), created / count, resident);
        var (allocated, committed) = await HeapAsync(host);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"  allocated {(allocated - allocatedBefore) / 1e3 / count,6:0.0} kB a pod, heap committed {committed / 1e6:0.0} MB"));
        before = Cpu(host);
        begin = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, ct) =>
            await client.DeleteAsync(Resources.Pods, new ObjectKey(Namespace, $"b{i}"), null, ct));
        await watch.AllGoneAsync();
        took = Stopwatch.GetElapsedTime(begin);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  deleted gracefully      {count / took.TotalSeconds,8:0} pods/s                                    {(Cpu(host) - before) / count,6:0.00} ms CPU a pod"));
    }

    /// <summary>The same writes for as many pods by a loop that does nothing else: what the API server itself can do while the machine is as it is.</summary>
    private static async Task ApiServerAloneAsync(KubernetesClient client, int count)
    {
        const string Elsewhere = "kube-public";
        var begin = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, ct) =>
        {
            var pod = await client.CreateAsync(Resources.Pods, NewPod(Elsewhere, $"b{i}", "nobody"), ct);
            await client.CreateAsync(
                Resources.Events,
                new KubernetesEvent
                {
                    Metadata = new ObjectMeta { Namespace = Elsewhere, Name = $"b{i}" },
                    InvolvedObject = pod.ToReference(),
                    Type = EventType.Normal,
                    Reason = "CellLaunched",
                    Message = "Launched a cell for the pod",
                },
                ct);
            await client.PatchAsync(
                Resources.Pods, ObjectKey.Of(pod), Patch.StrategicMerge("""{"status":{"phase":"Running","containerStatuses":[{"name":"main","image":"busybox","imageID":"","ready":true,"restartCount":0,"state":{"running":{}}}]}}"""u8.ToArray()), "status", ct);
        });
        var took = Stopwatch.GetElapsedTime(begin);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count} by the API server alone{count / took.TotalSeconds,6:0} pods/s   (pod, event and status written by a loop, no node)"));
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, ct) =>
            await client.DeleteAsync(Resources.Pods, new ObjectKey(Elsewhere, $"b{i}"), new DeleteOptions { GracePeriod = TimeSpan.Zero }, ct));
    }

    private static async Task PacedAsync(KubernetesClient client, Watch watch, Process host, int perSecond, int count)
    {
        await SettleAsync(host);
        var before = Cpu(host);
        var begin = Stopwatch.GetTimestamp();
        var creations = new List<Task>();
        for (var i = 0; i < count; i++)
        {
            var due = TimeSpan.FromSeconds((double)i / perSecond) - Stopwatch.GetElapsedTime(begin);
            if (due > TimeSpan.Zero)
            {
                await Task.Delay(due, TimeProvider.System, CancellationToken.None);
            }

            creations.Add(CreateAsync(client, watch, $"p{perSecond}-{i}", default).AsTask());
        }

        await Task.WhenAll(creations);
        await watch.AllRunAsync(count);
        host.Refresh();
        Print($"paced {perSecond} pods/s", count / Stopwatch.GetElapsedTime(begin).TotalSeconds, watch.Latencies(), (Cpu(host) - before) / count, host.WorkingSet64 / 1e6);
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, ct) =>
            await client.DeleteAsync(Resources.Pods, new ObjectKey(Namespace, $"p{perSecond}-{i}"), new DeleteOptions { GracePeriod = TimeSpan.Zero }, ct));
        await watch.AllGoneAsync();
    }

    private static async ValueTask CreateAsync(KubernetesClient client, Watch watch, string name, CancellationToken cancellationToken)
    {
        watch.Begin(name);
        await client.CreateAsync(
            Resources.Pods,
            NewPod(Namespace, name, Node),
            cancellationToken);
    }

    private static Pod NewPod(string @namespace, string name, string node) => new()
    {
        Metadata = new ObjectMeta { Namespace = @namespace, Name = name },
        Spec = new PodSpec
        {
            NodeName = node,
            AutomountServiceAccountToken = false,
            Containers = [new Container { Name = "main", Image = "busybox" }],
        },
    };

    /// <summary>All that the process has allocated, in bytes, and what its heap took from the machine at the last collection.</summary>
    private static async Task<(double Allocated, double Committed)> HeapAsync(Process host)
    {
        await host.StandardInput.WriteLineAsync();
        await host.StandardInput.FlushAsync();
        var line = (await host.StandardOutput.ReadLineAsync())!.Split(' ');
        return (double.Parse(line[0], CultureInfo.InvariantCulture), double.Parse(line[1], CultureInfo.InvariantCulture));
    }

    /// <summary>Waits until the node has nothing left to do from before: cells end after their pods.</summary>
    private static async Task SettleAsync(Process host)
    {
        for (var (before, now) = (0.0, Cpu(host)); now - before > 25; (before, now) = (now, Cpu(host)))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, CancellationToken.None);
        }
    }

    private static double Cpu(Process host)
    {
        host.Refresh();
        return host.TotalProcessorTime.TotalMilliseconds;
    }

    private static void Print(string what, double rate, List<double> latencies, double cpu, double resident) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{what,-24}{rate,10:0} pods/s   p50 {latencies[latencies.Count / 2],7:0.0} ms   p99 {latencies[(int)(latencies.Count * 0.99)],7:0.0} ms   {cpu,6:0.00} ms CPU a pod   {resident,5:0} MB"));

    /// <summary>From just before the call that makes a pod to the watch event that shows it running.</summary>
    private sealed class Watch
    {
        private readonly ConcurrentDictionary<string, long> _created = new();
        private readonly ConcurrentDictionary<string, long> _begun = new();
        private readonly ConcurrentDictionary<string, double> _running = new();
        private readonly ConcurrentDictionary<string, bool> _there = new();

        public void Begin(string name) => _begun[name] = _created[name] = Stopwatch.GetTimestamp();

        public long Created(string name) => _created[name];

        public void See(ObjectChange<Pod> change)
        {
            var name = change.Key.Name;
            if (change.New is null)
            {
                _there.TryRemove(name, out _);
                return;
            }

            _there[name] = true;
            if (change.New.Status?.Phase == PodPhase.Running && _begun.TryRemove(name, out var begun))
            {
                _running[name] = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
            }
        }

        public async Task AllRunAsync(int count)
        {
            while (_running.Count < count)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None);
            }
        }

        public async Task AllGoneAsync()
        {
            while (!_there.IsEmpty)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None);
            }
        }

        public List<double> Latencies()
        {
            var all = _running.Values.Order().ToList();
            _running.Clear();
            return all;
        }
    }
}
