using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>
/// <c>kip run --cloud aws</c>, whole: the launch goes to moto, whose instance boots a machine from its user data, and the pod runs there.
/// </summary>
[Collection("AWS")] // one after the other: moto takes seconds of processor time for a catalog
public sealed class AwsRunTests(MotoServer moto) : KipStory, IClassFixture<MotoServer>
{
    private MotoMachines? _machines;

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        if (BuiltKip.Missing("curl") is null && MotoServer.Missing is null)
        {
            _machines = await MotoMachines.StartAsync(moto, Kip);
            await File.WriteAllTextAsync(Kip.ProviderFile, _machines.ProviderConfiguration);
        }
    }

    public override async Task DisposeAsync()
    {
        if (_machines is not null)
        {
            await _machines.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    [MotoKipFact]
    public async Task Run_HelloSample_LogOnStdoutTimelineOnStderrInstanceTerminated()
    {
        var run = await DoAsync("run", BuiltKip.Sample("hello.yaml"));

        Assert.True(run.ExitCode == 0, Describe(run));
        Assert.Matches(@"^Hello from hello, a cell of my own with \d+ processors\.\n$", run.Output);
        string[] steps = ["planned", "launched", "agent ready", "enrolled", "sandbox ready", "image ready", "container started", "finished", "cell terminated"];
        Assert.Equal(steps, run.ErrorLines.Select(static l => l[..18].TrimEnd()));
        Assert.Matches(@"(?m)^planned .* cell-\w+: t\w+\.\w+ in us-east-1a for \$0\.\d+ an hour$", run.Errors);
        Assert.Matches(@"(?m)^launched .* i-[0-9a-f]{17} at 127\.\d+\.\d+\.\d+$", run.Errors);
        Assert.Equal("terminated", Assert.Single(await _machines!.InstancesAsync()).Value);
        var cells = await DoAsync("get", "cells");
        Assert.Equal((0, "", "No cells.\n"), (cells.ExitCode, cells.Output, cells.Errors));
    }

    [MotoKipFact]
    public async Task Run_PodFails_ExitsWithItsCode()
    {
        var run = await DoAsync("run", Kip.Write(Shell("echo no; exit 7")));

        Assert.True(run.ExitCode == 7, Describe(run));
        Assert.Equal("no\n", run.Output);
    }

    [MotoKipFact]
    public async Task Run_Interrupted_StopsThePodAndTerminatesTheInstance()
    {
        var run = Start("run", Kip.Write(Shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done")));
        await run.PrintsAsync("ready\n");

        var cells = await DoAsync("get", "cells");
        Assert.Matches(@"(?m)^cell-\w{10} +Claimed +t\w+\.\w+ +us-east-1a +127\.\d+\.\d+\.\d+ +default/story +\d+s$", cells.Output);
        await run.SignalAsync("INT");
        var end = await run.EndsAsync();

        Assert.True(end.ExitCode == 130, Describe(end));
        Assert.Equal("ready\nbye\n", end.Output);
        Assert.Equal("terminated", Assert.Single(await _machines!.InstancesAsync()).Value);
    }

    [MotoKipFact]
    public async Task Run_AnEarlierRunWasKilled_TerminatesItsInstanceAndRunsItsOwn()
    {
        var killed = Start("run", Kip.Write(Shell("echo ready; sleep 1000")));
        await killed.PrintsAsync("ready\n");
        await killed.SignalAsync("KILL");
        await killed.EndsAsync();
        Assert.Equal("running", Assert.Single(await _machines!.InstancesAsync()).Value);

        var run = await DoAsync("run", BuiltKip.Sample("hello.yaml"));

        Assert.True(run.ExitCode == 0, Describe(run));
        Assert.Matches(@"(?m)^removed cell-\w+ of pod default/story: its kip run ended without cleaning up$", run.Errors);
        Assert.Equal(["terminated", "terminated"], (await _machines!.InstancesAsync()).Values);
    }

    [MotoKipFact]
    public async Task Run_CloudNotAsked_RunsHereAndSaysHowToRunThere()
    {
        var run = await Kip.DoAsync("run", "no-such-file.yaml");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("the cloud it names is not used: this command runs cells on this machine; --cloud aws runs them there", run.Errors, StringComparison.Ordinal);
    }

    private KipProcess Start(params string[] command) => Kip.Start([.. command, "--cloud", "aws"]);

    private Task<KipResult> DoAsync(params string[] command) => Start(command).EndsAsync();

    private string Describe(KipResult run) => $"{run}\n--- machines\n{string.Join('\n', _machines!.Problems)}\n{_machines.Consoles()}";
}

/// <summary>A test that drives the real program against moto; says what is missing when it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MotoKipFactAttribute : FactAttribute
{
    public MotoKipFactAttribute() => Skip = BuiltKip.Missing("curl") ?? MotoServer.Missing;
}

/// <summary>As <see cref="MotoKipFactAttribute"/>, with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MotoKipTheoryAttribute : TheoryAttribute
{
    public MotoKipTheoryAttribute() => Skip = BuiltKip.Missing("curl") ?? MotoServer.Missing;
}
