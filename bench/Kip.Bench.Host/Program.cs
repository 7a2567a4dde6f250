using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Testing;
using Kip.VirtualKubelet;
using Microsoft.Extensions.Logging.Abstractions;

// The process that bench/node measures: a node on a simulated cloud, until its standard input ends. Arguments: the kubeconfig, the node's
// name, how many cells are kept ready, how many seconds a boot takes. Each line of input is answered by what the process has allocated
// and what its heap holds; at the end it says when it launched a cell for which pod, by the machine's monotonic clock.
var (kubeconfig, name, warmCells, boot) = (
    args[0], args[1], int.Parse(args[2], CultureInfo.InvariantCulture), TimeSpan.FromSeconds(int.Parse(args[3], CultureInfo.InvariantCulture)));
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
        return new InstancePlan { RunningAfter = boot, AgentReadyAfter = boot, TerminationTime = TimeSpan.Zero };
    },
    Script = static _ => PodScript.Forever,
    TerminatedVisible = TimeSpan.FromSeconds(1),
});
using var store = await SqliteCellStore.OpenAsync(Path.Combine(state, "kip.db"), default);
await using (var node = new VirtualNode(
    new VirtualNodeOptions { NodeName = name, HostIdentity = name, InternalIP = IPAddress.Loopback, KubeletPort = 0, Version = "v1.20.0-kip", Workers = 50 },
    client,
    leaseClient,
    new CellManagerOptions { Owner = name, ControllerCa = "pem", StandbyCells = warmCells > 0 ? [new StandbyCells("sim.nano", warmCells)] : [] },
    cloud.CreateDriver(name),
    store,
    cloud.CreateConnector(),
    time,
    NullLoggerFactory.Instance))
{
    using var ending = new CancellationTokenSource();
    var running = node.RunAsync(ending.Token);
    await await Task.WhenAny(node.Ready, running);
    while (node.Cells.Standby.Count(static r => r.State == CellState.Ready) < warmCells)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(100), time, default);
    }

    Console.WriteLine("ready");
    while (await Console.In.ReadLineAsync() is not null)
    {
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{GC.GetTotalAllocatedBytes()} {GC.GetGCMemoryInfo().TotalCommittedBytes} {GC.CollectionCount(0)} {GC.GetTotalPauseDuration().TotalMilliseconds}"));
    }

    foreach (var (pod, at) in launches)
    {
        Console.WriteLine($"{pod} {at}");
    }

    await ending.CancelAsync();
    await running;
}

Directory.Delete(state, recursive: true);
