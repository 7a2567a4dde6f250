using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>Several kips at once.</summary>
public sealed class ConcurrencyTests : KipStory
{
    [KipFact]
    public async Task Run_FiveAtOnce_EachHasItsOwnCellAndAllSucceed()
    {
        var runs = Enumerable.Range(1, 5).Select(i => Kip.StartPod(Shell($"echo pod {i} at $POD_IP; exit {i}", container: """
            env:
              - name: POD_IP
                valueFrom: {fieldRef: {fieldPath: status.podIP}}
            """))).ToList();

        var ends = await Task.WhenAll(runs.Select(static r => r.EndsAsync()));

        Assert.All(ends, static (end, i) => Assert.True(end.ExitCode == i + 1 && end.Output.StartsWith($"pod {i + 1} at ", StringComparison.Ordinal), end.ToString()));
        Assert.Equal(5, ends.Select(static e => e.Output.Split(' ')[^1]).Distinct().Count());
        await Kip.AssertNothingLeftAsync();
    }

    [KipFact]
    public async Task Run_OneEndsWhileAnotherGoesOn_TheOtherKeepsItsNetwork()
    {
        var web = Kip.Start("run", BuiltKip.Sample("web.yaml"));
        await web.PrintsAsync("serving on ");
        var url = web.Output.Split(' ')[^1].Trim();

        var other = await Kip.RunPodAsync(Shell($"until wget -qO- {url}; do sleep 0.1; done"));

        Assert.True(other.ExitCode == 0, other.ToString());
        Assert.Equal("<h1>Hello from web</h1>\n", other.Output);
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        Assert.Equal("<h1>Hello from web</h1>\n", await http.GetStringAsync(new Uri(url)));
        await web.SignalAsync("INT");
        Assert.Equal(130, (await web.EndsAsync()).ExitCode);
    }

    [KipFact]
    public async Task Run_BridgeOfAnotherStateFolder_IsRefusedAndTheOtherGoesOn()
    {
        using var second = new KipHome();
        second.Configure(bridge: Kip.Bridge);
        var first = Kip.StartPod(Shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"));
        await first.PrintsAsync("ready\n");

        var refused = await second.DoAsync("run", BuiltKip.Sample("hello.yaml"));

        Assert.Equal((125, ""), (refused.ExitCode, refused.Output));
        Assert.Contains($"the name {Kip.Bridge} is taken by a network interface that does not belong to this state directory", refused.Errors, StringComparison.Ordinal);
        Assert.False(first.HasExited);
        await first.SignalAsync("INT");
        Assert.Equal(130, (await first.EndsAsync()).ExitCode);
    }
}
