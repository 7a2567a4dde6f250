using Kip.Bench;

var root = Environment.GetEnvironmentVariable("KIP_ROOT") ?? throw new InvalidOperationException("start this by bench/run, bench/agent or bench/fleet");
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
    default:
        Console.Error.WriteLine("usage: run [ROUNDS] | agent [ROUNDS] | fleet [PODS]");
        return 2;
}

static int Count(string[] rest, int otherwise) => rest is [var text] && int.TryParse(text, out var count) && count > 0 ? count : otherwise;
