using System.Diagnostics;
using System.Net.NetworkInformation;
using Xunit.Abstractions;

namespace Kip.Drivers.Local.Tests;

public sealed class LocalDriverTests(ITestOutputHelper output) : IAsyncDisposable
{
    private readonly TestMachine machine = new();

    public ValueTask DisposeAsync() => machine.DisposeAsync();

    [RootFact]
    public async Task LaunchAsync_NewCell_RunsAndIsReachable()
    {
        var driver = machine.Driver();
        var start = Stopwatch.GetTimestamp();

        var id = (await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).InstanceId;

        output.WriteLine($"launched in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
        var instance = await TestMachine.GetAsync(driver, id);
        Assert.Equal(InstanceState.Running, instance.State);
        Assert.Equal("cell-1", instance.Tags[InstanceTags.CellId]);
        Assert.NotEqual(instance.Address, instance.PodAddress);
        await machine.ContainerdReadyAsync(machine.Cell(id).ReadInit()!.Id);
        output.WriteLine($"containerd ready after {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
        Assert.Contains($"--cgroup-parent /kip/{id}/pods", await machine.AskAgentAsync(instance, "arguments"), StringComparison.Ordinal);
        Assert.Equal("""{"cellId":"test"}""", await machine.AskAgentAsync(instance, "user-data"));
        using var ping = new Ping();
        Assert.Equal(IPStatus.Success, (await ping.SendPingAsync(instance.Address!, 10_000)).Status);
    }
}
