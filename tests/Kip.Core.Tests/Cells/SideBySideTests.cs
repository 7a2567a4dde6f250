using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

/// <summary>Several hosts that use one account at the same time.</summary>
public class SideBySideTests
{
    private static readonly SimulatedCloudOptions Forever = new() { Script = static _ => PodScript.Forever };

    [Fact]
    public async Task TwoClusters_InOneAccount_DoNotSeeEachOther()
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var stores = (One: new MemoryCellStore(), Other: new MemoryCellStore());
            var one = await bench.StartAsync(store: _ => stores.One, controllerId: "kip-one");
            var other = await bench.StartAsync(store: _ => stores.Other, controllerId: "kip-other");
            await RunAsync(bench, one, "a");
            await RunAsync(bench, other, "b");

            // Each collector has looked many times: what the other cluster made is in no record of its own.
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(30));

            Assert.Equal(2, bench.Alive.Count());
            Assert.Single(await stores.One.ListAsync(default));
            Assert.Equal(["kip-one"], (await bench.Cloud.CreateDriver("kip-one").ListAsync(default)).Select(static i => i.Tags[InstanceTags.ControllerId]));
            await one.Cells.Single().StopPodAsync(TimeSpan.Zero, default);
            await bench.Clock.AdvanceUntilAsync(() => bench.Alive.Count() == 1);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(5));
            Assert.Equal("kip-other", Assert.Single(bench.Alive).Instance.Tags[InstanceTags.ControllerId]);
            Assert.Equal(PodPhase.Running, other.Cells.Single().Status?.Phase);
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task SeveralNodes_OfOneCluster_EachHasItsOwnCells_AlsoAfterARestart()
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var first = await bench.StartAsync("node-kip-0");
            var second = await bench.StartAsync("node-kip-1");
            for (var i = 0; i < 5; i++)
            {
                await RunAsync(bench, first, $"a-{i}");
                await RunAsync(bench, second, $"b-{i}");
            }

            await first.DisposeAsync();
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(30)); // the other host sees its instances and leaves them
            Assert.Equal(10, bench.Alive.Count());

            first = await bench.StartAsync("node-kip-0");
            Assert.Equal(["a-0", "a-1", "a-2", "a-3", "a-4"], first.Cells.Select(static c => c.Pod.Name).Order(StringComparer.Ordinal));
            await bench.Clock.AdvanceUntilAsync(() => first.Cells.All(static c => c.Status?.Phase == PodPhase.Running));

            await Task.WhenAll(first.Cells.Select(static c => c.StopPodAsync(TimeSpan.Zero, default)));
            await bench.Clock.AdvanceUntilAsync(() => bench.Alive.Count() == 5);
            Assert.Equal(5, second.Cells.Count(static c => c.Status?.Phase == PodPhase.Running));
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task TwoNodes_GivenTheSamePod_OneHasIt()
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var first = await bench.StartAsync("node-kip-0");
            var second = await bench.StartAsync("node-kip-1");
            await RunAsync(bench, first, "a");

            await Assert.ThrowsAsync<CellConflictException>(() => second.RunPodAsync(Bench.NewPod("a"), default));

            Assert.Single(bench.Cloud.Instances);
        });
    }

    private static async Task RunAsync(Bench bench, CellManager manager, string pod)
    {
        var cell = await manager.RunPodAsync(Bench.NewPod(pod), default);
        await bench.Clock.AdvanceUntilAsync(() => cell.Status?.Phase == PodPhase.Running);
    }
}
