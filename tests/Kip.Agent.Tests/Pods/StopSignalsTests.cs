using Kip.Agent.Pods;
using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

public sealed class StopSignalsTests
{
    [Theory]
    [InlineData("SIGUSR1", 10)]
    [InlineData("SIGRTMIN", 34)]
    [InlineData("SIGRTMIN+3", 37)]
    [InlineData("SIGRTMAX-14", 50)]
    [InlineData("SIGRTMIN+16", null)]
    [InlineData("SIGRTMAX-0", null)]
    [InlineData("USR1", null)]
    public void Of_ANamedSignal_IsLinuxsNumber(string name, int? number)
    {
        var container = new Container { Lifecycle = new Lifecycle { StopSignal = name } };

        Assert.Equal((number, number is null), (StopSignals.Of(container), StopSignals.IsUnknown(container)));
    }

    [Fact]
    public async Task Stop_OfAContainerThatIgnoresItsSignal_KillsItWhenItsGraceIsOver()
    {
        await using var harness = new WorkerHarness();
        harness.Runtime.OnSignal = _ => null;
        harness.Runtime.OnTerminate = _ => null;
        var container = WorkerHarness.Container();
        container.Lifecycle = new Lifecycle { StopSignal = "SIGRTMIN+3" };
        await harness.ApplyAsync(WorkerHarness.Pod("Always", container));
        await harness.UntilAsync("Running", status => status.Phase == "Running");

        await harness.StopAsync(20);
        var took = await harness.AdvanceUntilAsync("the kill", () => harness.Runtime.CallList().Contains("stop main 0 0s"));

        Assert.InRange(took.TotalSeconds, 19, 21);
        Assert.Contains("signal main 37", harness.Runtime.CallList());
        await harness.UntilAsync("the end", status => status.Phase == "Failed");
    }
}
