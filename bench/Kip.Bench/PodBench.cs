using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Kip.Agents;
using Kip.Cells;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Bench;

/// <summary>A pod on a ready cell: its start beside <c>ctr run</c> on the same cell, the agent under probes, and a log that is written as fast as it goes.</summary>
internal static partial class PodBench
{
    private const int Containers = 20;
    private const int LinesOfABlock = 100_000;
    private const int BytesOfALine = 100;
    private const int Blocks = 60;
    private const int ReadBack = 150_000;
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(20);

    // ctr takes its networks from fixed places: they are put into a mount namespace that only this shell has. $1 is the number of the run.
    private const string CtrRun = """
        set -e
        mkdir -p /run/kip-bench/bin && mount -t tmpfs tmpfs /opt && mkdir -p /opt/cni && ln -s /usr/lib/cni /opt/cni/bin
        mount -t tmpfs tmpfs /run/kip-bench && mkdir -p /run/kip-bench/lower /run/kip-bench/upper/cni/net.d /run/kip-bench/work
        cat >/run/kip-bench/upper/cni/net.d/10-bench.conflist <<X
        {"cniVersion":"0.4.0","name":"bench","plugins":[{"type":"ptp","ipam":{"type":"host-local","subnet":"10.99.0.0/24","dataDir":"/run/kip-bench/ipam"}}]}
        X
        mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/kip-bench/upper,workdir=/run/kip-bench/work /etc
        begin=$(date +%s%N)
        ctr -n k8s.io run -d --cni docker.io/library/busybox:1.35 "bench-$1" sleep 1000
        end=$(date +%s%N)
        echo $(((end - begin) / 1000))
        """;

    /// <param name="root">The repository.</param>
    /// <param name="rounds">How many pods are started.</param>
    /// <param name="part">starts, probes or log; null for all of them.</param>
    public static async Task<int> RunAsync(string root, int rounds, string? part)
    {
        Console.WriteLine($"pods on ready local cells; {Measured.Machine()}");
        await using var cells = await BenchCells.StartAsync(root, ready: 1);
        var isMet = true;
        if (part is null or "starts")
        {
            isMet &= await StartsAsync(cells, rounds);
        }

        if (part is null or "probes")
        {
            isMet &= await ProbesAsync(cells, "httpGet: {path: /, port: {0}}", "httpGet");
            await ProbesAsync(cells, "exec: {command: ['true']}", "exec, not a goal");
        }

        if (part is null or "log")
        {
            await FollowersAsync(cells);
            isMet &= await LogAsync(cells);
        }

        return isMet ? 0 : 1;
    }

    private static async Task<bool> StartsAsync(BenchCells cells, int rounds)
    {
        var pods = new List<double>();
        var byHand = new List<double>();
        var steps = new Dictionary<string, List<double>>();
        for (var round = 0; round <= rounds; round++)
        {
            var (id, init) = await cells.ReadyAsync();
            using var boots = cells.HoldBoots();
            var first = round % 2 == 0 ? await CtrAsync(init, round) : 0;
            var begin = Stopwatch.GetTimestamp();
            var cell = await cells.Manager.RunPodAsync(Pod($"start-{round}", "sleep 1000"), default);
            var (accepted, seen) = (Stopwatch.GetElapsedTime(begin).TotalMilliseconds, new List<(string, double)>());
            await UntilAsync(
                cell,
                static status => status.ContainerStatuses is [{ State.Running: not null }],
                reason => seen.Add((reason, Stopwatch.GetElapsedTime(begin).TotalMilliseconds)));
            var pod = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
            MustBe(id, cell);
            var hand = first > 0 ? first : await CtrAsync(init, round);
            await EndAsync(cell);
            if (round > 0)
            {
                pods.Add(pod);
                byHand.Add(hand);
                foreach (var (step, after) in seen.Prepend(("accepted", accepted)))
                {
                    (steps.TryGetValue(step, out var all) ? all : steps[step] = []).Add(after);
                }
            }
        }

        var ratio = Measured.Median(pods) / Measured.Median(byHand);
        Console.WriteLine($"ctr run with a CNI network, p50    {Measured.Milliseconds(Measured.Median(byHand))}    ({rounds} rounds, in turns, on the same cells)");
        Console.WriteLine($"pod: apply to container started    {Measured.Milliseconds(Measured.Median(pods))}    p50");
        foreach (var (step, after) in steps.OrderBy(static s => Measured.Median(s.Value)))
        {
            Console.WriteLine($"  {step,-32} {Measured.Milliseconds(Measured.Median(after))}");
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ratio                              {ratio,8:0.00}    (goal: at most 1.5)"));
        return ratio <= 1.5;
    }

    private static async Task<bool> ProbesAsync(BenchCells cells, string handler, string name)
    {
        var (id, init) = await cells.ReadyAsync();
        var yaml = new StringBuilder($"apiVersion: v1\nkind: Pod\nmetadata: {{name: probes, namespace: default, uid: {Guid.NewGuid()}, annotations: {{pod.elotl.co/instance-type: {BenchCells.InstanceType}}}}}\nspec:\n  containers:\n");
        for (var i = 0; i < Containers; i++)
        {
            var port = string.Create(CultureInfo.InvariantCulture, $"{8000 + i}");
            yaml.AppendLine(CultureInfo.InvariantCulture, $"    - name: c{i}\n      image: busybox:1.35\n      imagePullPolicy: IfNotPresent");
            yaml.AppendLine(CultureInfo.InvariantCulture, $"      command: [sh, -c, 'mkdir /www; echo x >/www/index.html; exec httpd -f -p {port} -h /www']");
            yaml.AppendLine(CultureInfo.InvariantCulture, $"      readinessProbe: {{periodSeconds: 1, {handler.Replace("{0}", port, StringComparison.Ordinal)}}}");
        }

        var cell = await cells.Manager.RunPodAsync(Manifest.ReadPod(yaml.ToString(), "bench").Pod, default);
        await UntilAsync(cell, static status => status.ContainerStatuses is { Count: Containers } all && all.TrueForAll(static c => c.Ready));
        MustBe(id, cell);
        var agent = BenchCells.ProcessOf(init);
        await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System, CancellationToken.None); // what the start has left to do
        var cpu = await UsedAsync(agent);
        var resident = int.Parse(Resident().Match(await File.ReadAllTextAsync($"/proc/{agent}/status")).Groups[1].ValueSpan, CultureInfo.InvariantCulture) / 1000.0;
        await EndAsync(cell);
        Console.WriteLine($"{Containers} containers, a probe each second ({name}):");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  agent, of one processor          {cpu,8:0.0} %     (goal: at most 2)"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  agent, resident                  {resident,8:0.0} MB    (goal: at most 65)"));
        return cpu <= 2 && resident <= 65;
    }

    /// <summary>The agent while the logs of 20 silent containers are followed.</summary>
    private static async Task FollowersAsync(BenchCells cells)
    {
        var (id, init) = await cells.ReadyAsync();
        var yaml = new StringBuilder($"apiVersion: v1\nkind: Pod\nmetadata: {{name: followers, namespace: default, uid: {Guid.NewGuid()}, annotations: {{pod.elotl.co/instance-type: {BenchCells.InstanceType}}}}}\nspec:\n  containers:\n");
        for (var i = 0; i < Containers; i++)
        {
            yaml.AppendLine(CultureInfo.InvariantCulture, $"    - {{name: c{i}, image: busybox:1.35, imagePullPolicy: IfNotPresent, command: [sh, -c, echo x; exec sleep 1000]}}");
        }

        var cell = await cells.Manager.RunPodAsync(Manifest.ReadPod(yaml.ToString(), "bench").Pod, default);
        await UntilAsync(cell, static status => status.ContainerStatuses is { Count: Containers } all && all.TrueForAll(static c => c.State?.Running is not null));
        MustBe(id, cell);
        var agent = BenchCells.ProcessOf(init);
        await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System, CancellationToken.None); // what the start has left to do
        var alone = await UsedAsync(agent);
        using var stop = new CancellationTokenSource();
        var followers = Enumerable.Range(0, Containers).Select(i => FollowAsync(cell, stop.Token, $"c{i}", isReading: true)).ToArray();
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, CancellationToken.None);
        var followed = await UsedAsync(agent);
        await stop.CancelAsync();
        await Task.WhenAll(followers);
        await EndAsync(cell);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"agent, {Containers} silent containers       {alone,8:0.00} %     of one processor"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  with a logs -f on each           {followed,8:0.00} %"));
    }

    private static async Task<double> UsedAsync(int process)
    {
        var before = Cpu(process);
        await Task.Delay(Watched, TimeProvider.System, CancellationToken.None);
        return (Cpu(process) - before) / Watched.TotalSeconds * 100;
    }

    /// <summary>The same numbered lines again and again, once with nobody reading and once with a reader that stands still.</summary>
    private static async Task<bool> LogAsync(BenchCells cells)
    {
        var (alone, kept) = await LogAsync(cells, withReader: false);
        var (beside, keptToo) = await LogAsync(cells, withReader: true);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"log, written without a reader      {alone,8:0} MB/s"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"log, beside a reader that stopped  {beside,8:0} MB/s  (goal: as fast)"));
        Console.WriteLine($"lines read to the log's end        {Math.Min(kept, keptToo),8:0}       (goal: {ReadBack}, without a gap)");
        return Math.Min(kept, keptToo) >= ReadBack && beside > alone * 0.7;
    }

    private static async Task<(double Rate, int Kept)> LogAsync(BenchCells cells, bool withReader)
    {
        await cells.ReadyAsync();
        // What it measures does not go to its log; then it waits, so that its log can be read.
        var cell = await cells.Manager.RunPodAsync(
            Pod(
                withReader ? "log-read" : "log",
                $"now() {{ read -r up _ </proc/uptime; echo ${{up%.*}}${{up#*.}}; }}; seq 100000 {100_000 + LinesOfABlock - 1} | sed 's/$/{new string('x', BytesOfALine - 7)}/' >/block; "
                + $"begin=$(now); for i in $(seq {Blocks}); do cat /block; done; end=$(now); echo $((end - begin))0 >/took; mv /took /done; sleep 60"),
            default);
        await UntilAsync(cell, static status => status.ContainerStatuses is [{ State.Running: not null }]);
        using var stopped = new CancellationTokenSource();
        var stalled = withReader ? FollowAsync(cell, stopped.Token) : Task.CompletedTask;
        var took = new StringBuilder();
        await using (var waiting = await cell.ExecAsync(new ExecRequest { Container = "main", Command = ["sh", "-c", "until [ -e /done ]; do sleep 0.1; done; sleep 5; cat /done"] }, default))
        {
            await foreach (var output in waiting.ReadOutputAsync(default))
            {
                took.Append(Encoding.ASCII.GetString(output.Data.Span));
            }
        }

        var kept = await ReadBackAsync(cell);
        await stopped.CancelAsync();
        await stalled;
        await EndAsync(cell);
        var milliseconds = double.Parse(took.ToString(), CultureInfo.InvariantCulture);
        return (Blocks / 1000.0 * LinesOfABlock * BytesOfALine / milliseconds, kept);
    }

    /// <returns>How many lines before the last one follow each other without a gap; 0 when the last one is not the last that was written.</returns>
    private static async Task<int> ReadBackAsync(Cell cell)
    {
        var numbers = new List<int>(ReadBack);
        var line = new StringBuilder();
        await foreach (var entry in cell.ReadLogsAsync(new LogQuery { Container = "main", TailLines = ReadBack }, default))
        {
            line.Append(Encoding.ASCII.GetString(entry.Data.Span));
            if (line[^1] == '\n')
            {
                numbers.Add(int.Parse(line.ToString(0, 6), CultureInfo.InvariantCulture) - 100_000);
                line.Clear();
            }
        }

        var expected = LinesOfABlock - 1;
        var inOrder = 0;
        for (var i = numbers.Count - 1; i >= 0 && numbers[i] == expected; i--, inOrder++)
        {
            expected = (expected + LinesOfABlock - 1) % LinesOfABlock;
        }

        return inOrder;
    }

    private static async Task FollowAsync(Cell cell, CancellationToken cancellationToken, string container = "main", bool isReading = false)
    {
        try
        {
            await foreach (var _ in cell.ReadLogsAsync(new LogQuery { Container = container, Follow = true }, cancellationToken))
            {
                await Task.Delay(isReading ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // It has stood in the way for long enough.
        }
    }

    private static void MustBe(string id, Cell cell)
    {
        if (cell.Record.Id != id)
        {
            throw new InvalidOperationException($"the pod ran on {cell.Record.Id}, not on {id}, which was ready");
        }
    }

    private static Pod Pod(string name, string script) => Manifest.ReadPod(
        $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: {{name}}, namespace: default, uid: {{Guid.NewGuid()}}, annotations: {pod.elotl.co/instance-type: {{BenchCells.InstanceType}} } }
        spec:
          restartPolicy: Never
          containers: [{name: main, image: "busybox:1.35", imagePullPolicy: IfNotPresent, command: [sh, -c, {{System.Text.Json.JsonSerializer.Serialize(script)}}]}]
        """,
        "bench").Pod;

    private static async Task UntilAsync(Cell cell, Func<PodStatus, bool> fits, Action<string>? happened = null)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2), TimeProvider.System);
        await foreach (var update in cell.WatchAsync(patience.Token))
        {
            if (update.Event is { } said)
            {
                happened?.Invoke(said.Reason);
            }

            if (update.Status is { } status && fits(status))
            {
                return;
            }
        }

        throw new InvalidOperationException($"pod {cell.Pod} did not come that far: {cell.Status?.Phase} {cell.Status?.Reason} {cell.Status?.Message}");
    }

    private static async Task EndAsync(Cell cell)
    {
        await cell.StopPodAsync(TimeSpan.Zero, default);
        await cell.Gone;
    }

    private static async Task<double> CtrAsync(int init, int round)
    {
        using var process = Process.Start(new ProcessStartInfo(
            "nsenter", ["-t", init.ToString(CultureInfo.InvariantCulture), "-a", "unshare", "--mount", "sh", "-c", CtrRun, "sh", round.ToString(CultureInfo.InvariantCulture)])
        { RedirectStandardOutput = true, RedirectStandardError = true }) ?? throw new InvalidOperationException("nsenter did not start");
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? double.Parse(output, CultureInfo.InvariantCulture) / 1000 : throw new InvalidOperationException($"ctr run: {await errors}");
    }

    /// <summary>Processor time that a process has used, in seconds: the 14th and 15th field of proc(5)'s stat, in hundredths.</summary>
    private static double Cpu(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / 100.0;
    }

    [GeneratedRegex(@"VmRSS:\s+(\d+) kB")]
    private static partial Regex Resident();
}
