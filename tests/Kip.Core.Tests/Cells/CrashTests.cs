using System.Runtime.CompilerServices;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;
using Kip.Testing;
using Xunit.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>Kills the controller at every call it makes to store, cloud and agent, just before and just after it takes effect.</summary>
public class CrashTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Controller_KilledAtEachCall_LosesNoPodNoStatusNoInstance_AndDoublesNone(bool afterEffect)
    {
        var deaths = 0;
        while (await RunAndDieAsync(deaths, afterEffect))
        {
            deaths++;
        }

        output.WriteLine($"killed at {deaths} calls, {(afterEffect ? "after" : "before")} their effect");
        Assert.InRange(deaths, 10, 10_000); // fewer would mean that the controller was hardly killed at all
    }

    /// <summary>Whether the controller lived to make its call number <paramref name="death"/>.</summary>
    private static async Task<bool> RunAndDieAsync(int death, bool afterEffect)
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.RunsFor(TimeSpan.FromSeconds(30), exitCode: 7) });
        using var process = new MortalProcess(death, afterEffect);
        await bench.RunAsync(async () =>
        {
            PodStatus? known = null;
            var first = await bench.StartAsync(
                driver: d => new MortalDriver(d, process), store: s => new MortalStore(s, process), agents: a => new MortalConnector(a, process));
            var story = TellAsync();
            await Task.WhenAny(process.Died, story);
            var disposing = first.DisposeAsync();
            process.Bury();
            await disposing;
            await ((Task)story).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            var second = await bench.StartAsync();
            var cell = second.Cells.SingleOrDefault() ?? (known is null ? await second.RunPodAsync(Bench.NewPod(), default) : null);
            if (cell is not null)
            {
                if (known is null && cell.Record.State < CellState.Terminating)
                {
                    // As an owner does that learns the pods from the API server again.
                    Assert.Same(cell, await second.RunPodAsync(Bench.NewPod(), default));
                }

                known = await cell.PodEnded;
                await cell.Gone;
            }

            Assert.Equal(7, known!.ContainerStatuses![0].State!.Terminated!.ExitCode);
            Assert.Single(bench.Cloud.Instances);
            await bench.AssertNothingLeftAsync();

            async Task TellAsync()
            {
                var told = await first.RunPodAsync(Bench.NewPod(), process.Token);
                known = await told.PodEnded.WaitAsync(process.Token);
                await told.Gone.WaitAsync(process.Token);
            }
        });
        return process.IsDead;
    }

    /// <summary>A process that dies at its n-th call: nothing that it does after it has any effect, and no call returns to it.</summary>
    private sealed class MortalProcess(int death, bool afterEffect) : IDisposable
    {
        private readonly TaskCompletionSource _buried = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenSource _end = new();
        private int _calls;

        public Task Died => _died.Task;

        public bool IsDead => Volatile.Read(ref _calls) > death;

        public CancellationToken Token => _end.Token;

        public void Dispose()
        {
            Bury();
            _end.Dispose();
        }

        public void Bury()
        {
            _end.Cancel();
            _buried.TrySetResult();
        }

        public async Task<T> CallAsync<T>(Func<Task<T>> call)
        {
            var number = Interlocked.Increment(ref _calls) - 1;
            if (number > death || (number == death && !afterEffect))
            {
                await DieAsync();
            }

            var result = await call();
            if (number == death || IsDead)
            {
                await DieAsync();
            }

            return result;
        }

        public Task<bool> CallAsync(Func<Task> call) => CallAsync(async () =>
        {
            await call();
            return true;
        });

        private async Task DieAsync()
        {
            _died.TrySetResult();
            await _buried.Task;
            throw new OperationCanceledException("the process is dead");
        }
    }

    private sealed class MortalDriver(ICellDriver inner, MortalProcess process) : ICellDriver
    {
        public DriverDescription Description => inner.Description;

        public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => process.CallAsync(() => inner.GetCatalogAsync(cancellationToken));

        public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => process.CallAsync(() => inner.ResolveImageAsync(reference, cancellationToken));

        public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) => process.CallAsync(() => inner.LaunchAsync(request, cancellationToken));

        public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => process.CallAsync(() => inner.ListAsync(cancellationToken));

        public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) => process.CallAsync(() => inner.TerminateAsync(instanceIds, cancellationToken));
    }

    private sealed class MortalStore(ICellStore inner, MortalProcess process) : ICellStore
    {
        public Task<IReadOnlyList<CellRecord>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

        public Task<CellRecord> AddAsync(CellRecord record, CancellationToken cancellationToken) => process.CallAsync(() => inner.AddAsync(record, cancellationToken));

        public Task<CellRecord> UpdateAsync(CellRecord record, CancellationToken cancellationToken) => process.CallAsync(() => inner.UpdateAsync(record, cancellationToken));

        public Task DeleteAsync(CellRecord record, CancellationToken cancellationToken) => process.CallAsync(() => inner.DeleteAsync(record, cancellationToken));
    }

    private sealed class MortalConnector(ICellAgentConnector inner, MortalProcess process) : ICellAgentConnector
    {
        public string GetEnrolmentToken(CellRecord cell) => inner.GetEnrolmentToken(cell);

        public async Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken) =>
            new MortalAgent(await process.CallAsync(() => inner.ConnectAsync(cell, onStep, cancellationToken)), process);
    }

    private sealed class MortalAgent(ICellAgent inner, MortalProcess process) : ICellAgent
    {
        public string Instance => inner.Instance;

        public Task ApplyPodAsync(PodAssignment assignment, CancellationToken cancellationToken) => process.CallAsync(() => inner.ApplyPodAsync(assignment, cancellationToken));

        public Task StopPodAsync(string podUid, TimeSpan gracePeriod, CancellationToken cancellationToken) => process.CallAsync(() => inner.StopPodAsync(podUid, gracePeriod, cancellationToken));

        public async IAsyncEnumerable<AgentUpdate> WatchAsync(long afterEvent, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (var update in inner.WatchAsync(afterEvent, cancellationToken))
            {
                yield return await process.CallAsync(() => Task.FromResult(update));
            }
        }

        public IAsyncEnumerable<LogEntry> ReadLogsAsync(string podUid, LogQuery query, CancellationToken cancellationToken) => inner.ReadLogsAsync(podUid, query, cancellationToken);

        public Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken) => inner.ExecAsync(podUid, request, cancellationToken);

        public Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken) => inner.AttachAsync(podUid, request, cancellationToken);

        public Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken) => inner.ForwardPortAsync(podUid, port, cancellationToken);

        public Task<PodStatistics> GetStatisticsAsync(CancellationToken cancellationToken) => inner.GetStatisticsAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
