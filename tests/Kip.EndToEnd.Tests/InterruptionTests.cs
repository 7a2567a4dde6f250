using System.Net;
using System.Text.RegularExpressions;
using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>A pod that runs until it is told to stop: <c>samples/pods/web.yaml</c>, Ctrl-C, and pods that do not want to.</summary>
public sealed partial class InterruptionTests : KipStory
{
    [KipFact]
    public async Task Run_WebSample_AnswersIsListedAndStopsGracefully()
    {
        var run = Kip.Start("run", BuiltKip.Sample("web.yaml"));
        await run.PrintsAsync("serving on http://");
        var address = ServedAddress().Match(run.Output).Groups[1].Value;
        Assert.StartsWith(Kip.Network, address, StringComparison.Ordinal);

        Assert.Equal("<h1>Hello from web</h1>\n", await GetAsync($"http://{address}:8080/"));
        var cells = await Kip.DoAsync("get", "cells");
        Assert.Equal((0, ""), (cells.ExitCode, cells.Errors));
        Assert.Matches(@"^NAME +STATE +INSTANCE-TYPE +ZONE +ADDRESS +POD +AGE$", cells.OutputLines[0]);
        Assert.Matches($@"^cell-[a-z0-9]{{10}} +Claimed +local\.nano +local-a +{Regex.Escape(Kip.Network)}\.\d+ +default/web +\d+s$", Assert.Single(cells.OutputLines.Skip(1)));

        await run.SignalAsync("INT");
        var end = await run.EndsAsync();
        Assert.True(end.ExitCode == 130, end.ToString());
        Assert.Equal("stopping", end.OutputLines[^1]);
        Assert.Contains("stopping the pod; once more to kill it", end.Errors, StringComparison.Ordinal);
        await Kip.AssertNothingLeftAsync();
    }

    [KipTheory]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public async Task Run_OtherSignals_StopLikeCtrlC(string signal)
    {
        var run = Kip.StartPod(Shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"));
        await run.PrintsAsync("ready\n");

        await run.SignalAsync(signal);
        var end = await run.EndsAsync();

        Assert.True(end.ExitCode == 130, end.ToString());
        Assert.Equal("ready\nbye\n", end.Output);
    }

    [KipFact]
    public async Task Run_PodIgnoresTerm_SecondInterruptKillsIt()
    {
        var run = Kip.StartPod(Shell("trap 'echo no' TERM; echo ready; while :; do sleep 0.1; done", "terminationGracePeriodSeconds: 600"));
        await run.PrintsAsync("ready\n");

        await run.SignalAsync("INT");
        await run.PrintsAsync("no\n");
        Assert.False(run.HasExited);
        await run.SignalAsync("INT");
        var end = await run.EndsAsync();

        Assert.True(end.ExitCode == 130, end.ToString());
        Assert.Contains("killing the pod", end.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_PodIgnoresTerm_IsKilledWhenItsGraceEnds()
    {
        var run = Kip.StartPod(Shell("trap '' TERM; echo ready; while :; do sleep 0.1; done", "terminationGracePeriodSeconds: 1"));
        await run.PrintsAsync("ready\n");

        await run.SignalAsync("INT");
        var end = await run.EndsAsync();

        Assert.True(end.ExitCode == 130, end.ToString());
    }

    [KipFact]
    public async Task Run_InterruptedBeforeThePodStarts_NothingRuns()
    {
        var run = Kip.StartPod(Shell("echo ran; sleep 1000"));
        await run.SaysAsync("planned");

        await run.SignalAsync("INT");
        var end = await run.EndsAsync();

        Assert.True(end.ExitCode == 130, end.ToString());
    }

    [GeneratedRegex(@"http://([0-9.]+):8080/")]
    private static partial Regex ServedAddress();

    private static async Task<string> GetAsync(string url)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        var answer = "";
        await Wait.UntilAsync($"an answer of {url}", async () =>
        {
            try
            {
                using var response = await http.GetAsync(new Uri(url));
                answer = await response.Content.ReadAsStringAsync();
                return response.StatusCode == HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false; // said to be serving a moment before it does
            }
        });
        return answer;
    }
}
