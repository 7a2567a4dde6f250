using System.Diagnostics;
using System.Globalization;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Bench;

/// <summary>Many pods at once on local cells, by the library: all must succeed and nothing may be left.</summary>
internal static class FleetBench
{
    public static async Task<int> RunAsync(string root, int pods)
    {
        Console.WriteLine($"{pods} pods at once on local cells; {Measured.Machine()}");
        await using var bench = await BenchCells.StartAsync(root, ready: 0);
        var begin = Stopwatch.GetTimestamp();
        var cells = await Task.WhenAll(Enumerable.Range(0, pods).Select(i => bench.Manager.RunPodAsync(NewPod(i), default)));
        var ends = await Task.WhenAll(cells.Select(static c => c.PodEnded));
        var ended = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        await Task.WhenAll(cells.Select(static c => c.Gone));
        var gone = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        var left = (await bench.Driver.ListAsync(default)).Count(static i => i.State < Drivers.InstanceState.Terminated);
        var succeeded = ends.Count(static e => e.Phase == PodPhase.Succeeded);

        Console.WriteLine($"succeeded                          {succeeded,8} of {pods}");
        Console.WriteLine($"all pods ended after               {Measured.Milliseconds(ended)}");
        Console.WriteLine($"all cells gone after               {Measured.Milliseconds(gone)}    ({(gone / pods).ToString("0", CultureInfo.InvariantCulture)} ms a pod)");
        Console.WriteLine($"instances left                     {left,8}");
        foreach (var failed in ends.Where(static e => e.Phase != PodPhase.Succeeded))
        {
            Console.WriteLine($"  {failed.Reason}: {failed.Message}");
        }

        return succeeded == pods && left == 0 ? 0 : 1;
    }

    private static Pod NewPod(int number) => Manifest.ReadPod(
        $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: pod-{{number}}, namespace: default, uid: bench-{{number}}}
        spec:
          restartPolicy: Never
          containers: [{name: main, image: "busybox:1.35", imagePullPolicy: IfNotPresent, command: [echo, hello]}]
        """,
        "bench").Pod;
}
