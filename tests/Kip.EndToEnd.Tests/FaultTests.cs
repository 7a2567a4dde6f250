using System.Globalization;
using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>Parts of a cell die, or run full, under a running pod.</summary>
public sealed class FaultTests : KipStory
{
    // Counts for as long as it takes, and ends when told to by a signal.
    private const string Counter = "trap 'echo last; exit 5' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";

    [KipTheory]
    [InlineData("kip-agent")]
    [InlineData("containerd")]
    public async Task Run_PartOfTheCellKilled_PodAndLogGoOnAndTheExitCodeIsRight(string part)
    {
        var run = Kip.StartPod(Shell(Counter, "terminationGracePeriodSeconds: 20"));
        await run.PrintsAsync("\n10\n");
        var container = PodProcess();
        var before = Eldest(Kip.ProcessesOf(part));

        await Tool.SignalAsync("KILL", before);
        await Wait.UntilAsync($"a new {part}", () => Kip.ProcessesOf(part).Any(p => p != before));
        var seen = run.Output.Length;
        await Wait.UntilAsync("the log goes on", () => run.Output.Length > seen + 100, () => run.Errors);
        Assert.Equal(container, PodProcess());
        await Tool.SignalAsync("TERM", container);
        var end = await run.EndsAsync();

        Assert.True(end.ExitCode == 5, end.ToString());
        Assert.Equal("last", end.OutputLines[^1]);
        var numbers = end.OutputLines.SkipLast(1).Select(static l => int.Parse(l, CultureInfo.InvariantCulture)).ToList();
        Assert.Equal(Enumerable.Range(1, numbers.Count), numbers);
    }

    [KipFact]
    public async Task Run_CellDies_PodIsLostAndNothingIsLeft()
    {
        var run = Kip.StartPod(Shell(Counter));
        await run.PrintsAsync("\n10\n");

        await Tool.SignalAsync("KILL", Kip.Init);
        var end = await run.EndsAsync();

        Assert.True(end.ExitCode == 125, end.ToString());
        Assert.Contains("kip: CellLost: instance i-", end.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_PodFillsTheDisk_EndsWithItsOwnExitCode()
    {
        // Preallocated blocks fill the cell's disk without writing gigabytes to this machine's. Not before the runtime has noted that the container has
        // started, which takes room too.
        var run = await Kip.RunPodAsync(Shell("""
            echo filling
            sleep 1
            n=0; for size in 4G 1G 256M 64M 16M 4M 1M; do while fallocate -l $size /fill$n 2>/dev/null; do n=$((n+1)); done; done
            dd if=/dev/zero of=/rest bs=4096 2>/tmp/error && exit 1
            exit 9
            """));

        Assert.True(run.ExitCode == 9, run.ToString());
        Assert.StartsWith("filling\n", run.Output, StringComparison.Ordinal);
    }

    private int PodProcess() =>
        Eldest([.. Kip.ProcessesOf("sh").Where(static p => Read(p, "cmdline").Contains("trap 'echo last", StringComparison.Ordinal))]);

    // A child that has not begun its own program yet looks like its parent.
    private static int Eldest(IReadOnlyList<int> alike) => Assert.Single(alike, p => Parent(p) is { } parent && !alike.Contains(parent));

    // proc(5): the fields after the command's name, which is in parentheses, are the state and the parent.
    private static int? Parent(int process) =>
        Read(process, "stat") is { Length: > 0 } stat ? int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture) : null;

    private static string Read(int process, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/{file}");
        }
        catch (IOException)
        {
            return ""; // it ended meanwhile
        }
    }
}
