using Kip.Host.Node;

namespace Kip.Host.Tests.Node;

public sealed class HostTraceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kip-trace-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task TryLeave_AfterAHostThatHasEnded_KnowsIt_AndHasANameOfItsOwn()
    {
        var first = await HostTrace.TryLeaveAsync(_folder, "kip-0", TimeProvider.System, default);
        Assert.Null(first.Predecessor);
        first.Dispose();

        using var second = await HostTrace.TryLeaveAsync(_folder, "kip-0", TimeProvider.System, default);

        Assert.Equal(first.Identity, second.Predecessor);
        Assert.NotEqual(first.Identity, second.Identity);
    }

    [Fact]
    public async Task TryLeave_WhileTheOtherLives_KnowsNothing_AndLeavesNothing()
    {
        var first = await HostTrace.TryLeaveAsync(_folder, "kip-0", TimeProvider.System, default);
        using (var second = await HostTrace.TryLeaveAsync(_folder, "kip-0", TimeProvider.System, default))
        {
            Assert.Null(second.Predecessor);
        }

        first.Dispose();
        using var third = await HostTrace.TryLeaveAsync(_folder, "kip-0", TimeProvider.System, default);
        Assert.Equal(first.Identity, third.Predecessor);
    }

    [Fact]
    public async Task TryLeave_MachineStartedAnew_OrAnotherNode_KnowsNothing()
    {
        (await HostTrace.TryLeaveAsync(_folder, "kip-0", TimeProvider.System, default)).Dispose();
        using var other = await HostTrace.TryLeaveAsync(_folder, "kip-1", TimeProvider.System, default);
        Assert.Null(other.Predecessor);

        var path = Path.Combine(_folder, "hosts", "kip-0.last");
        File.WriteAllText(path, "another-boot " + File.ReadAllText(path).Split(' ')[1]);
        using var anew = await HostTrace.TryLeaveAsync(_folder, "kip-0", TimeProvider.System, default);
        Assert.Null(anew.Predecessor);
    }

    [Fact]
    public async Task TryLeave_WhereNothingCanBeWritten_DoesWithout()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");

        using var trace = await HostTrace.TryLeaveAsync(file, "kip-0", TimeProvider.System, default);

        Assert.Null(trace.Predecessor);
        Assert.NotEmpty(trace.Identity);
    }
}
