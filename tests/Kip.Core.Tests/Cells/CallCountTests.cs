using Kip.Kubernetes.Objects;
using Kip.Testing;
using Xunit.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>What a cloud is asked, in numbers.</summary>
public class CallCountTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1)]
    [InlineData(300)]
    public async Task Calls_WhileAllPodsRun_AreOneListInTenSeconds_HoweverManyCellsThereAre(int cells)
    {
        var options = new SimulatedCloudOptions { Script = _ => new PodScript { Default = new ContainerScript { RunTime = null } } };
        await using var bench = await Bench.CreateAsync(options, new MemoryCellStore());
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var running = await Task.WhenAll(Enumerable.Range(0, cells).Select(i => manager.RunPodAsync(Bench.NewPod($"pod-{i}"), default)));
            await Task.WhenAll(running.Select(static c => CellManagerTests.UntilAsync(c, static u => u.Status?.Phase == PodPhase.Running)));
            await Task.Delay(TimeSpan.FromMinutes(1), bench.Clock);

            var before = bench.Cloud.Calls.Count;
            await Task.Delay(TimeSpan.FromMinutes(10), bench.Clock);
            var calls = bench.Cloud.Calls.Skip(before).ToList();

            output.WriteLine($"{cells} cells that run, 10 minutes: {calls.Count} calls to the cloud ({string.Join(", ", calls.GroupBy(static c => c.Action).Select(static g => $"{g.Key} {g.Count()}"))}), {calls.Count / 60.0:0.00} in 10 s");
            Assert.InRange(calls.Count, 1, 61);
        });
    }
}
