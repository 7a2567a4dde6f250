using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

public class VolumeTests
{
    [Fact]
    public async Task Pod_WithVolume_GetsACellInItsZone_ThatHasItBeforeThePod_AndGivesItBackBeforeItEnds()
    {
        await using var bench = await Bench.CreateAsync(Runs(60));
        await bench.RunAsync(async () =>
        {
            IReadOnlyList<CellRecord>? durable = null;
            var manager = await bench.StartAsync(driver: d => new HookedAttacher(d) { BeforeAttach = async () => durable = await bench.Store.ListAsync(default) });
            var volume = bench.Cloud.AddVolume("sim-1b", "vol-data");

            var cell = await manager.RunPodAsync(With(volume), default);
            await EventAsync(cell, "Started");
            Assert.Equal(("sim-1b", cell.Record.InstanceId), (cell.Record.Zone, bench.Cloud.Volumes[0].AttachedTo));
            Assert.Equal([new AttachableVolume("vol-data")], Assert.Single(durable!).Volumes!);
            await cell.Gone;

            Assert.Equal(
                [CloudAction.Launch, CloudAction.Attach, CloudAction.Detach, CloudAction.Terminate],
                bench.Cloud.Calls.Select(static c => c.Action).Where(static a => a is not (CloudAction.List or CloudAction.GetCatalog or CloudAction.ResolveImage)));
            await AssertNothingLeftAsync(bench);
        });
    }

    [Fact]
    public async Task Pod_WhoseVolumeIsNotThisDrivers_IsRefusedByName()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var volume = bench.Cloud.AddVolume("sim-1a");
            volume.Spec.Csi!.Driver = "ebs.csi.aws.com";

            var e = await Assert.ThrowsAsync<CellException>(() => manager.RunPodAsync(With(volume), default));

            Assert.Equal("UnsupportedVolume", e.Reason);
            Assert.Contains("is of CSI driver ebs.csi.aws.com, which the driver 'simulated' cannot attach", e.Message, StringComparison.Ordinal);
            await AssertNothingLeftAsync(bench);
        });
    }

    [Fact]
    public async Task Pod_WhoseVolumesAreInDifferentZones_IsToldSo()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var e = await Assert.ThrowsAsync<CellException>(
                () => manager.RunPodAsync(With(bench.Cloud.AddVolume("sim-1a", "vol-a"), bench.Cloud.AddVolume("sim-1b", "vol-b")), default));

            Assert.Contains("PersistentVolume pv-vol-", e.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Pods_OfOneVolume_HaveItOneAfterTheOther()
    {
        await using var bench = await Bench.CreateAsync(Runs(60));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var volume = bench.Cloud.AddVolume("sim-1a");
            var first = await manager.RunPodAsync(With(volume), default);
            await EventAsync(first, "Started");

            var second = await manager.RunPodAsync(With("second", volume), default);
            Assert.Contains($"is attached to {first.Record.InstanceId}", (await EventAsync(second, "FailedAttachVolume")).Message, StringComparison.Ordinal);
            await first.Gone;
            await EventAsync(second, "SuccessfulAttachVolume");

            Assert.Equal(PodPhase.Succeeded, (await second.PodEnded).Phase);
            await second.Gone;
            await AssertNothingLeftAsync(bench);
        });
    }

    [Theory]
    [InlineData(CloudAction.Attach)]
    [InlineData(CloudAction.Detach)]
    public async Task Calls_ThatFailOrAreLost_AreRepeated(CloudAction action)
    {
        await using var bench = await Bench.CreateAsync(Runs(10));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            bench.Cloud.FailNext(action, new CloudFault(DriverErrorKind.Unauthorized));
            bench.Cloud.FailNext(action, CloudFault.LostAnswer);
            var cell = await manager.RunPodAsync(With(bench.Cloud.AddVolume("sim-1a")), default);

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;
            Assert.Equal(3, bench.Cloud.CountCalls(action));
            await AssertNothingLeftAsync(bench);
        });
    }

    [Fact]
    public async Task Detach_ThatNeverSucceeds_KeepsNoCellThatCostsMoney()
    {
        await using var bench = await Bench.CreateAsync(Runs(10));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            bench.Cloud.FailNext(CloudAction.Detach, new CloudFault(DriverErrorKind.Transient), times: 8);
            var cell = await manager.RunPodAsync(With(bench.Cloud.AddVolume("sim-1a")), default);
            await cell.PodEnded;
            var ended = bench.Clock.Elapsed;
            await bench.Clock.AdvanceUntilAsync(() => !bench.Alive.Any());

            Assert.InRange(bench.Clock.Elapsed - ended, TimeSpan.FromSeconds(25), TimeSpan.FromSeconds(60));
            Assert.Null(bench.Cloud.Volumes[0].AttachedTo);
            await cell.Gone;
            await AssertNothingLeftAsync(bench);
        });
    }

    [Fact]
    public async Task Pod_StoppedWhileItWaitsForItsVolume_EndsAtOnce()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var volume = bench.Cloud.AddVolume("sim-1a", "vol-gone");
            bench.Cloud.RemoveVolume("vol-gone");
            var cell = await manager.RunPodAsync(With(volume), default);
            Assert.Contains("There is no volume vol-gone", (await EventAsync(cell, "FailedAttachVolume")).Message, StringComparison.Ordinal);

            await cell.StopPodAsync(TimeSpan.FromMinutes(10), default);
            var stopped = bench.Clock.Elapsed;
            await cell.PodEnded;

            Assert.InRange(bench.Clock.Elapsed - stopped, TimeSpan.Zero, TimeSpan.FromSeconds(5));
            await cell.Gone;
            await AssertNothingLeftAsync(bench);
        });
    }

    [Fact]
    public async Task Cell_ThatIsLost_IsNotRobbedOfItsVolume_AndItsEndFreesIt()
    {
        await using var bench = await Bench.CreateAsync(Runs(6000));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(With(bench.Cloud.AddVolume("sim-1a")), default);
            await EventAsync(cell, "Started");

            bench.Cloud.SetHanging(cell.Record.InstanceId!, true);
            await cell.Gone;

            Assert.Equal("CellLost", cell.Record.Reason);
            var calls = bench.Cloud.Calls.Select(static c => c.Action).ToList();
            Assert.True(calls.IndexOf(CloudAction.Terminate) < calls.IndexOf(CloudAction.Detach), "the volume was detached before the cell had ended");
            await AssertNothingLeftAsync(bench);
        });
    }

    [Fact]
    public async Task Standby_ThatWaitsInTheZone_IsTaken()
    {
        await using var bench = await Bench.CreateAsync(Runs(10));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: o => o with { StandbyCells = [new StandbyCells("sim.nano", 1)] });
            await bench.Clock.AdvanceUntilAsync(() => manager.Standby.Any(static c => c.State == CellState.Ready));
            var zone = manager.Standby.Single().Zone;

            var cell = await manager.RunPodAsync(With(bench.Cloud.AddVolume(zone)), default);

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            Assert.Contains(bench.Cloud.Calls, c => c.Action == CloudAction.Attach && c.InstanceIds.Single() == cell.Record.InstanceId);
            await cell.Gone;
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Host_StartedAnew_AttachesAgain_AndGoesOn()
    {
        await using var bench = await Bench.CreateAsync(Runs(600));
        await bench.RunAsync(async () =>
        {
            var assignment = With(bench.Cloud.AddVolume("sim-1a"));
            var first = await bench.StartAsync();
            await EventAsync(await first.RunPodAsync(assignment, default), "Started");
            await first.DisposeAsync();

            var second = await bench.StartAsync();
            var cell = await second.RunPodAsync(assignment, default);
            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;

            Assert.Single(bench.Cloud.Instances);
            await AssertNothingLeftAsync(bench);
        });
    }

    internal static PodAssignment With(params PersistentVolume[] volumes) => With("pod", volumes);

    internal static PodAssignment With(string pod, params PersistentVolume[] volumes) => new(Bench.NewPod(pod), null, [])
    {
        PersistentVolumes = [.. volumes.Select(static volume => new PodPersistentVolume($"of-{volume.Metadata.Name}", volume, ReadOnly: false))],
    };

    private static SimulatedCloudOptions Runs(int seconds) => new() { Script = _ => PodScript.RunsFor(TimeSpan.FromSeconds(seconds)) };

    private static async Task<AgentEvent> EventAsync(Cell cell, string reason)
    {
        await foreach (var update in cell.WatchAsync(default))
        {
            if (update.Event is { } happened && happened.Reason == reason)
            {
                return happened;
            }
        }

        throw new InvalidOperationException($"{reason} did not happen");
    }

    private static async Task AssertNothingLeftAsync(Bench bench)
    {
        await bench.AssertNothingLeftAsync();
        Assert.All(bench.Cloud.Volumes, static volume => Assert.Null(volume.AttachedTo));
    }

    private sealed class HookedAttacher(ICellDriver driver) : ICellDriver, IVolumeAttacher
    {
        public required Func<Task> BeforeAttach { get; init; }

        public DriverDescription Description => driver.Description;

        public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => driver.GetCatalogAsync(cancellationToken);

        public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => driver.ResolveImageAsync(reference, cancellationToken);

        public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) => driver.LaunchAsync(request, cancellationToken);

        public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => driver.ListAsync(cancellationToken);

        public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) => driver.TerminateAsync(instanceIds, cancellationToken);

        public AttachableVolume? Identify(PersistentVolume volume) => ((IVolumeAttacher)driver).Identify(volume);

        public async Task<AttachedDevice> AttachAsync(string instanceId, AttachableVolume volume, bool readOnly, CancellationToken cancellationToken)
        {
            await BeforeAttach();
            return await ((IVolumeAttacher)driver).AttachAsync(instanceId, volume, readOnly, cancellationToken);
        }

        public Task DetachAsync(string instanceId, AttachableVolume volume, CancellationToken cancellationToken) =>
            ((IVolumeAttacher)driver).DetachAsync(instanceId, volume, cancellationToken);
    }
}
