using Kip.Host.Node;

namespace Kip.Host.Tests.Node;

public sealed class HostTraceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kip-trace-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TryLeave_AfterAHostThatHasEnded_KnowsIt_AndHasANameOfItsOwn()
    {
        var first = HostTrace.TryLeave(_folder, "kip-0");
        Assert.Null(first.Predecessor);
        first.Dispose();

        using var second = HostTrace.TryLeave(_folder, "kip-0");

        Assert.Equal(first.Identity, second.Predecessor);
        Assert.NotEqual(first.Identity, second.Identity);
    }

    [Fact]
    public void TryLeave_WhileTheOtherLives_KnowsNothing_AndLeavesNothing()
    {
        var first = HostTrace.TryLeave(_folder, "kip-0");
        using (var second = HostTrace.TryLeave(_folder, "kip-0"))
        {
            Assert.Null(second.Predecessor);
        }

        first.Dispose();
        using var third = HostTrace.TryLeave(_folder, "kip-0");
        Assert.Equal(first.Identity, third.Predecessor);
    }

    [Fact]
    public void TryLeave_MachineStartedAnew_OrAnotherNode_KnowsNothing()
    {
        HostTrace.TryLeave(_folder, "kip-0").Dispose();
        using var other = HostTrace.TryLeave(_folder, "kip-1");
        Assert.Null(other.Predecessor);

        var path = Path.Combine(_folder, "hosts", "kip-0.last");
        File.WriteAllText(path, "another-boot " + File.ReadAllText(path).Split(' ')[1]);
        using var anew = HostTrace.TryLeave(_folder, "kip-0");
        Assert.Null(anew.Predecessor);
    }

    [Fact]
    public void TryLeave_WhereNothingCanBeWritten_DoesWithout()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");

        using var trace = HostTrace.TryLeave(file, "kip-0");

        Assert.Null(trace.Predecessor);
        Assert.NotEmpty(trace.Identity);
    }
}
