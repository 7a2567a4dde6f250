using System.Diagnostics;
using Kip.EndToEnd.Tests.Support;
using Xunit.Abstractions;

namespace Kip.EndToEnd.Tests;

/// <summary><c>kill -9</c> of kip itself: the next command finds and removes what was left.</summary>
public sealed class KilledTests(ITestOutputHelper log) : KipStory
{
    private const int Times = 20;

    [KipFact]
    public async Task GetCells_RunWasKilledAtARandomMoment_RemovesWhatWasLeftTwentyTimesOutOfTwenty()
    {
        var seed = Environment.TickCount;
        log.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var clock = Stopwatch.StartNew();
        Assert.Equal(0, (await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"))).ExitCode);
        var whole = clock.Elapsed;

        var cellsLeft = 0;
        for (var i = 1; i <= Times; i++)
        {
            var moment = whole * random.NextDouble();
            var run = Kip.Start("run", BuiltKip.Sample("hello.yaml"));
            await Task.Delay(moment, TimeProvider.System, CancellationToken.None);
            await run.SignalAsync("KILL");
            var killed = await run.EndsAsync();

            var cells = await Kip.DoAsync("get", "cells");

            var steps = killed.ErrorLines.Count == 0 ? "nothing" : killed.ErrorLines[^1];
            log.WriteLine($"{i}: killed after {moment.TotalMilliseconds:0} ms ({steps}): {cells.Errors.ReplaceLineEndings("; ")}");
            cellsLeft += cells.Errors.Contains("removed", StringComparison.Ordinal) ? 1 : 0;
            Assert.True(cells.ExitCode == 0 && cells.Errors.EndsWith("No cells.\n", StringComparison.Ordinal), $"{i}, seed {seed}: {cells}");
            Assert.Empty(await Kip.LeftoversAsync());
        }

        Assert.True(cellsLeft > 0, "no kill left a cell to remove: this has proved nothing");
    }

    [KipFact]
    public async Task Run_AnEarlierRunWasKilled_RemovesItsCellAndRunsItsOwn()
    {
        var killed = Kip.StartPod(Shell("echo ready; sleep 1000"));
        await killed.PrintsAsync("ready\n");
        await killed.SignalAsync("KILL");
        await killed.EndsAsync();
        Assert.Single(Kip.Instances);

        var run = await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Matches(@"(?m)^removed cell-\w+ of pod default/story: its kip run ended without cleaning up$", run.Errors);
        await Kip.AssertNothingLeftAsync();
    }
}
