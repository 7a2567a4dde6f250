using System.Diagnostics;
using System.Globalization;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers.Local;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Bench;

/// <summary>Many pods at once on local cells, by the library: all must succeed and nothing may be left.</summary>
internal static class FleetBench
{
    public static async Task<int> RunAsync(string root, int pods)
    {
        Console.WriteLine($"{pods} pods at once on local cells; {Measured.Machine()}");
        var state = Directory.CreateTempSubdirectory("kip-bench-").FullName;
        var time = TimeProvider.System;
        var images = Path.Combine(root, "artifacts", "images");
        using var authority = await CertificateAuthority.LoadOrCreateAsync(state, time, default);
        var store = await SqliteCellStore.OpenAsync(Path.Combine(state, "kip.db"), default);
        var driver = new LocalDriver(
            new LocalDriverOptions
            {
                StateDirectory = Path.Combine(state, "local"),
                ControllerId = "bench",
                AgentPath = Path.Combine(root, "artifacts", "kip", "agent", "kip-agent"),
                ImageArchives = [Path.Combine(images, "pause.tar"), Path.Combine(images, "busybox.tar")],
                Bridge = "kipbench0",
                Cidr = "10.231.0.0/24",
            },
            time,
            NullLogger<LocalDriver>.Instance);
        await using var manager = new CellManager(
            new CellManagerOptions { Owner = "bench", ControllerCa = authority.CertificatePem },
            driver,
            store,
            new GrpcAgentConnector(authority, time, NullLogger<GrpcAgentConnector>.Instance),
            time,
            NullLogger<CellManager>.Instance);
        await manager.StartAsync(default);

        var begin = Stopwatch.GetTimestamp();
        var cells = await Task.WhenAll(Enumerable.Range(0, pods).Select(i => manager.RunPodAsync(NewPod(i), default)));
        var ends = await Task.WhenAll(cells.Select(static c => c.PodEnded));
        var ended = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        await Task.WhenAll(cells.Select(static c => c.Gone));
        var gone = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        var left = (await driver.ListAsync(default)).Count(static i => i.State < Drivers.InstanceState.Terminated);
        var succeeded = ends.Count(static e => e.Phase == PodPhase.Succeeded);

        Console.WriteLine($"succeeded                          {succeeded,8} of {pods}");
        Console.WriteLine($"all pods ended after               {Measured.Milliseconds(ended)}");
        Console.WriteLine($"all cells gone after               {Measured.Milliseconds(gone)}    ({(gone / pods).ToString("0", CultureInfo.InvariantCulture)} ms a pod)");
        Console.WriteLine($"instances left                     {left,8}");
        foreach (var failed in ends.Where(static e => e.Phase != PodPhase.Succeeded))
        {
            Console.WriteLine($"  {failed.Reason}: {failed.Message}");
        }

        Directory.Delete(state, recursive: true);
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
