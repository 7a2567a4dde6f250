using Kip.Agent.Runtime;
using Kip.Agent.Tests.Support;
using Kip.Grpc;
using Kip.Testing;

namespace Kip.Agent.Tests.Runtime;

public sealed class RuntimeVersionTests
{
    [Fact]
    public async Task RunAsync_RuntimeBoots_IsNoticedSoonAndToldOnce()
    {
        var time = new VirtualClock();
        var runtime = new ScriptedRuntime(time) { Away = new RpcException(StatusCode.Unavailable, "no such file") };
        var version = new RuntimeVersion(runtime, time);
        var came = 0;
        using var stop = new CancellationTokenSource();
        var running = version.RunAsync(() => came++, stop.Token);

        await time.AdvanceAsync(TimeSpan.FromMilliseconds(400));
        Assert.Equal(("", false, 0), (version.Text, version.FirstAnswer.IsCompleted, came));
        runtime.Away = null;
        await time.AdvanceAsync(TimeSpan.FromMilliseconds(100));
        Assert.Equal(("scripted 1", true, 1), (version.Text, version.FirstAnswer.IsCompleted, came));

        await time.AdvanceAsync(TimeSpan.FromSeconds(25));
        Assert.Equal(1, came);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task RunAsync_RuntimeGoesAndComes_IsToldAgain()
    {
        var time = new VirtualClock();
        var runtime = new ScriptedRuntime(time);
        var version = new RuntimeVersion(runtime, time);
        var came = 0;
        using var stop = new CancellationTokenSource();
        var running = version.RunAsync(() => came++, stop.Token);
        await time.AdvanceAsync(TimeSpan.FromSeconds(1));

        runtime.Away = new RpcException(StatusCode.Unavailable, "connection refused");
        await time.AdvanceAsync(TimeSpan.FromSeconds(10));
        Assert.Equal("", version.Text);
        runtime.Away = null;
        await time.AdvanceAsync(TimeSpan.FromSeconds(1));

        Assert.Equal(("scripted 1", 2), (version.Text, came));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }
}
