using Kip.Bench;

var root = Environment.GetEnvironmentVariable("KIP_ROOT") ?? throw new InvalidOperationException("start this by bench/run, bench/agent, bench/fleet, bench/node, bench/pod, bench/sizing, bench/storm, bench/soak or bench/streams");
switch (args)
{
    case ["run", .. var rest]:
        await RunBench.RunAsync(root, Count(rest, 5));
        return 0;
    case ["agent", .. var rest]:
        await AgentBench.RunAsync(root, Count(rest, 7));
        return 0;
    case ["fleet", .. var rest]:
        return await FleetBench.RunAsync(root, Count(rest, 20));
    case ["pod", .. var rest]:
        return await PodBench.RunAsync(root, Count([.. rest.Take(1)], 15), rest.ElementAtOrDefault(1));
    case ["sizing"]:
        SizingBench.Run();
        return 0;
    case ["storm", .. var rest]:
        return await StormBench.RunAsync(Count(rest, 5000));
    case ["soak", .. var rest]:
        return await SoakBench.RunAsync(Count([.. rest.Take(1)], 60), Count([.. rest.Skip(1)], Random.Shared.Next()));
    case ["node", var program, var kubeconfig, .. var bursts]:
        await NodeBench.RunAsync(program, kubeconfig, bursts.Length > 0 ? [.. bursts.Select(static b => Count([b], 100))] : [100, 1000]);
        return 0;
    case ["streams", var kubeconfig, .. var rest]:
        await StreamsBench.RunAsync(root, kubeconfig, Count(rest, 1000));
        return 0;
    default:
        Console.Error.WriteLine("usage: run [ROUNDS] | agent [ROUNDS] | fleet [PODS] | pod [ROUNDS [starts|probes|log]] | sizing | storm [PODS] | soak [MINUTES [SEED]] | node HOST KUBECONFIG [PODS...] | streams KUBECONFIG [MEGABYTES]");
        return 2;
}

static int Count(string[] rest, int otherwise) => rest is [var text] && int.TryParse(text, out var count) && count > 0 ? count : otherwise;
