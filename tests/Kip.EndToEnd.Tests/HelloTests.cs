using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>The first thing anybody does: <c>kip run samples/pods/hello.yaml</c>.</summary>
public sealed class HelloTests : KipStory
{
    [KipFact]
    public async Task Run_HelloSample_LogOnStdoutTimelineOnStderrNothingLeft()
    {
        var run = await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Matches(@"^Hello from hello, a cell of my own with \d+ processors\.\n$", run.Output);
        string[] steps = ["planned", "launched", "agent ready", "enrolled", "sandbox ready", "image ready", "container started", "finished", "cell terminated"];
        Assert.Equal(steps, run.ErrorLines.Select(static l => l[..18].TrimEnd()));
        Assert.All(run.ErrorLines, static l => Assert.Matches(@"^[a-z ]{18} +\d+\.\d{3} s +\d+\.\d{3} s", l));
        Assert.DoesNotContain('\u001b', run.Errors);
        Assert.DoesNotContain('\r', run.Errors);
        await Kip.AssertNothingLeftAsync();
    }

    [KipFact]
    public async Task Run_ManifestOnStandardInput_Runs()
    {
        var command = Kip.Command("run", "-");
        command.FileName = "sh";
        var arguments = command.ArgumentList.ToArray();
        command.ArgumentList.Clear();
        foreach (var argument in new[] { "-c", "exec env \"$@\" <\"$0\"", BuiltKip.Sample("hello.yaml") }.Concat(arguments))
        {
            command.ArgumentList.Add(argument);
        }

        var run = await Kip.Start(command).EndsAsync();

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.StartsWith("Hello from hello", run.Output, StringComparison.Ordinal);
    }
}
