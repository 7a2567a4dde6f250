using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
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

    /// <param name="program">The process that is measured: bench/Kip.Bench.Host, published as machine code.</param>
    /// <param name="kubeconfig">Of the API server.</param>
    /// <param name="bursts">How many pods at once, one burst after another.</param>
    public static async Task RunAsync(string program, string kubeconfig, IReadOnlyList<int> bursts)
    {
        Console.WriteLine($"virtual node, simulated cloud, API server 1.20 on the same machine; {Measured.Machine()}");
        using var host = Start(program, kubeconfig, 0, TimeSpan.Zero);
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

        using var warm = Start(program, kubeconfig, WarmCells, WarmBoot);
        await PacedAsync(client, watch, warm, 5, 50);
        var cold = (await EndAsync(warm)).Count(static l => l.Key.Length > 0);
        Console.WriteLine($"  the same, on standby cells of a cloud that takes {WarmBoot.TotalSeconds:0} s to boot; {cold} of them had to wait for a boot");
        await ending.CancelAsync();
        await watching;
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

    private static Process Start(string program, string kubeconfig, int warmCells, TimeSpan boot)
    {
        var start = new ProcessStartInfo(
            program,
            [kubeconfig, Node, warmCells.ToString(CultureInfo.InvariantCulture), boot.TotalSeconds.ToString(CultureInfo.InvariantCulture)])
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
        var heapBefore = await HeapAsync(host);
        var before = Cpu(host);
        var begin = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, (i, ct) => CreateAsync(client, watch, $"b{i}", ct));
        await watch.AllRunAsync(count);
        var took = Stopwatch.GetElapsedTime(begin);
        var created = Cpu(host) - before;
        host.Refresh();
        Print(what, count / took.TotalSeconds, watch.Latencies(), created / count, host.WorkingSet64 / 1e6);
        var heap = await HeapAsync(host);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  a pod: {(heap.Allocated - heapBefore.Allocated) / 1e3 / count:0.0} kB allocated; {heap.Collections - heapBefore.Collections} collections, {(heap.Paused - heapBefore.Paused).TotalMilliseconds:0} ms in them; heap {heap.Committed / 1e6:0} MB"));
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

    private static async Task<Heap> HeapAsync(Process host)
    {
        await host.StandardInput.WriteLineAsync();
        await host.StandardInput.FlushAsync();
        var line = (await host.StandardOutput.ReadLineAsync())!.Split(' ');
        return new Heap(
            long.Parse(line[0], CultureInfo.InvariantCulture),
            long.Parse(line[1], CultureInfo.InvariantCulture),
            int.Parse(line[2], CultureInfo.InvariantCulture),
            TimeSpan.FromMilliseconds(double.Parse(line[3], CultureInfo.InvariantCulture)));
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

    /// <summary>What the process says of its memory.</summary>
    /// <param name="Allocated">Bytes, since its start.</param>
    /// <param name="Committed">Bytes that the heap had from the machine at the last collection.</param>
    /// <param name="Collections">How many there were.</param>
    /// <param name="Paused">How long they took.</param>
    private sealed record Heap(long Allocated, long Committed, int Collections, TimeSpan Paused);

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
