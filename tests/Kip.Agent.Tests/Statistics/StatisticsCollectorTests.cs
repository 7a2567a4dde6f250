using Kip.Agent.Tests.Sessions;
using Kip.Agent.Tests.Support;
using Kip.Agents;

namespace Kip.Agent.Tests.Statistics;

/// <summary>Statistics of a pod on a real containerd.</summary>
public sealed class StatisticsCollectorTests(RunningPod pod) : IClassFixture<RunningPod>
{
    [ContainerdFact]
    public async Task Collect_PodThatWorks_ShowsWhatItUses()
    {
        await pod.RunAsync($"head -c {3 << 20} /dev/zero >/tmp/written");
        await using var burning = await pod.ExecAsync("while :; do :; done");
        PodStatistics? statistics = null;
        await CellWorld.WaitAsync("rates, and for the disk to be measured", async () =>
        {
            statistics = await pod.Agent.GetStatisticsAsync(CancellationToken.None);
            // containerd measures writable layers every ten seconds.
            return statistics is { Containers: [{ Cpu.UsageNanoCores: > 0, RootFileSystem.UsedBytes: >= 3 << 20 }], Cpu.UsageNanoCores: > 0 };
        });

        var container = Assert.Single(statistics!.Containers);
        Assert.Equal((CellWorld.PodUid, "main"), (statistics.PodUid, container.Name));
        Assert.InRange(container.StartTime!.Value, TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow());
        Assert.InRange(container.Cpu!.UsageCoreNanoSeconds, 1, statistics.Cpu!.UsageCoreNanoSeconds * 2);
        Assert.True(container.Memory!.WorkingSetBytes > 0);
        Assert.InRange(statistics.Memory!.WorkingSetBytes, 1, statistics.Cell.Memory!.AvailableBytes!.Value + statistics.Cell.Memory.WorkingSetBytes);
        Assert.True(statistics.ProcessCount >= 2, $"{statistics.ProcessCount} processes");
        var link = Assert.Single(statistics.Network!.Interfaces);
        Assert.Equal("eth0", link.Name);
        Assert.True(statistics.EphemeralStorage!.CapacityBytes > statistics.EphemeralStorage.UsedBytes);
        Assert.True(container.Logs!.Inodes > 0);
        var own = Assert.Single(statistics.Cell.Network!.Interfaces);
        Assert.Equal("eth0", own.Name);
        Assert.True(own.ReceivedBytes > 0);
        Assert.True(statistics.Cell.FileSystem!.UsedBytes > 0);
        Assert.True(statistics.Cell.Cpu!.UsageCoreNanoSeconds > 0);
        Assert.True(statistics.Cell.StartTime < TimeProvider.System.GetUtcNow());
    }
}
