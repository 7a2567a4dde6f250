using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>A manager that takes over from one that is not dead: cut off, stopped for a while, late.</summary>
public sealed class TakeOverTests
{
    private static readonly SimulatedCloudOptions Forever = new() { Script = static _ => PodScript.Forever };

    [Fact]
    public async Task Start_Superseding_WhatTheOtherStillWritesIsRefused()
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var store = Store(bench);
            var deposed = await bench.StartAsync(store: _ => store);
            var theirs = await RunningAsync(deposed, "pod");

            var manager = await bench.StartAsync(store: _ => store, supersede: true);
            await Assert.ThrowsAsync<CellConflictException>(() => theirs.StopPodAsync(TimeSpan.Zero, default));

            var cell = Assert.Single(manager.Cells);
            await StatusAsync(cell);
            Assert.Equal(CellState.Claimed, cell.Record.State);
            await deposed.DisposeAsync();
            await cell.StopPodAsync(TimeSpan.Zero, default);
            await cell.Gone;
            Assert.Single(bench.Cloud.Instances);
            Assert.Empty(bench.Cloud.Violations);
            Assert.Empty(await store.ListAsync(default));
        });
    }

    [Fact]
    public async Task Start_SupersedingOneThatWritesAllTheTime_TakesUpWhatItWroteLast()
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var store = Store(bench);
            var late = new LateWriter(store);
            var record = await store.AddAsync(CellStoreTests.Record(CellName.Of("uid"), "uid") with { Owner = "owner", State = CellState.Terminating, CreatedAt = bench.Clock.GetUtcNow() }, default);
            late.BeforeUpdate = async () => record = await store.UpdateAsync(record with { Message = "late" }, default);

            var manager = await bench.StartAsync(store: _ => late, supersede: true);

            Assert.Equal("late", Assert.Single(manager.Cells).Record.Message);
            await Assert.ThrowsAsync<CellConflictException>(() => store.UpdateAsync(record, default));
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Record_DeletedBySomebody_EndsTheCellAndItsPod(bool isStopped)
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var store = Store(bench);
            var told = new List<string?>();
            var manager = await bench.StartAsync(store: _ => store, options: o => o with
            {
                BeforeForgotten = (cell, _) =>
                {
                    told.Add(cell.Record.FinalStatus?.Phase);
                    return Task.CompletedTask;
                },
            });
            var cell = await RunningAsync(manager, "pod");

            await store.DeleteAsync(cell.Record, default);
            if (isStopped)
            {
                await Assert.ThrowsAsync<CellConflictException>(() => cell.StopPodAsync(TimeSpan.Zero, default));
            }

            var status = await cell.PodEnded;
            await cell.Gone;

            Assert.Equal((PodPhase.Failed, "CellDeleted"), (status.Phase, cell.Record.Reason));
            Assert.Equal([PodPhase.Failed], told);
            Assert.Null(manager.Find(cell.Pod.Uid));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Collector_RecordThatNobodyAttends_IsTakenUpAndTold()
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var store = Store(bench);
            var manager = await bench.StartAsync(store: _ => store);
            var told = new List<Cell>();
            manager.TakenUp += told.Add;
            var others = CellStoreTests.Record(CellName.Of("other"), "other") with { Owner = "somebody" };
            await store.AddAsync(others, default);
            await store.AddAsync(Planned(bench, CellName.Of("uid-late"), "late"), default);

            await bench.Clock.AdvanceUntilAsync(() => told.Count > 0, TimeSpan.FromMinutes(3));

            var cell = Assert.Single(manager.Cells);
            Assert.Same(cell, Assert.Single(told));
            Assert.Same(cell, await manager.RunPodAsync(Bench.NewPod("late"), default));
            await StatusAsync(cell);
            await cell.StopPodAsync(TimeSpan.Zero, default);
            await cell.Gone;
            Assert.Equal("somebody", Assert.Single(await store.ListAsync(default)).Owner);
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LateRecordOfAPodThatHasACell_IsEndedAndThePodRunsOn(bool atStart)
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var api = new FakeKubernetesClient();
            var store = Store(bench, api);
            var manager = await bench.StartAsync(store: _ => store);
            await RunningAsync(manager, "pod");
            var late = Planned(bench, CellName.Random(), "pod");
            if (atStart)
            {
                await manager.DisposeAsync();
                await store.AddAsync(late, default);
                manager = await bench.StartAsync(store: _ => store, supersede: true);
            }
            else
            {
                await store.AddAsync(late, default);
            }

            await bench.Clock.AdvanceUntilAsync(() => api.Calls.Contains("delete"), TimeSpan.FromMinutes(10));
            Assert.DoesNotContain(await store.ListAsync(default), r => r.Id == late.Id);

            var cell = Assert.Single(manager.Cells);
            Assert.Equal(CellName.Of("uid-pod"), cell.Record.Id);
            Assert.False(cell.PodEnded.IsCompleted);
            Assert.Single(bench.Cloud.Instances);
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Effects_HeldBack_AreMadeWhenTheyMayBe()
    {
        await using var bench = await Bench.CreateAsync(Forever);
        await bench.RunAsync(async () =>
        {
            var sure = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var manager = await bench.StartAsync(options: o => o with { BeforeEffect = ct => new ValueTask(sure.Task.WaitAsync(ct)) });
            var launching = manager.RunPodAsync(Bench.NewPod(), default);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(10));
            Assert.Empty(await bench.Store.ListAsync(default));

            sure.SetResult();
            var cell = await launching;
            await StatusAsync(cell);
            sure = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var stopping = cell.StopPodAsync(TimeSpan.Zero, default);
            bench.Cloud.Kill(cell.Record.InstanceId!);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(10));
            Assert.Equal(CellState.Claimed, Assert.Single(await bench.Store.ListAsync(default)).State);
            Assert.False(cell.PodEnded.IsCompleted);

            sure.SetResult();
            await stopping;
            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }

    private static KubernetesCellStore Store(Bench bench, FakeKubernetesClient? api = null) =>
        new(api ?? new FakeKubernetesClient(), Bench.ControllerId, bench.Clock, NullLogger<KubernetesCellStore>.Instance);

    private static CellRecord Planned(Bench bench, string id, string pod) => CellStoreTests.Record(id, $"uid-{pod}") with
    {
        Owner = "owner",
        Pod = new PodReference("default", pod, $"uid-{pod}"),
        CreatedAt = bench.Clock.GetUtcNow(),
        StateSince = bench.Clock.GetUtcNow(),
        LaunchToken = Guid.NewGuid().ToString("n"),
        InstanceType = "sim.small",
        Zone = "sim-1a",
        DiskBytes = 1L << 30,
    };

    private static async Task<Cell> RunningAsync(CellManager manager, string pod)
    {
        var cell = await manager.RunPodAsync(Bench.NewPod(pod), default);
        await StatusAsync(cell);
        return cell;
    }

    private static async Task StatusAsync(Cell cell)
    {
        await foreach (var update in cell.WatchAsync(default))
        {
            if (update.Status is { Phase: PodPhase.Running })
            {
                return;
            }
        }

        Assert.Fail("the pod never ran");
    }

    private sealed class LateWriter(ICellStore inner) : ICellStore
    {
        public Func<Task>? BeforeUpdate { get; set; }

        public Task<IReadOnlyList<CellRecord>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

        public Task<CellRecord> AddAsync(CellRecord record, CancellationToken cancellationToken) => inner.AddAsync(record, cancellationToken);

        public async Task<CellRecord> UpdateAsync(CellRecord record, CancellationToken cancellationToken)
        {
            if (BeforeUpdate is { } late)
            {
                BeforeUpdate = null;
                await late();
            }

            return await inner.UpdateAsync(record, cancellationToken);
        }

        public Task DeleteAsync(CellRecord record, CancellationToken cancellationToken) => inner.DeleteAsync(record, cancellationToken);
    }
}
