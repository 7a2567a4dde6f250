using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;

namespace Kip.Core.Tests.Cells.Crashes;

/// <summary>When, at the call at which it dies, a process does so.</summary>
internal enum Death
{
    BeforeTheCall,

    /// <summary>The call has taken effect; nobody heard its answer.</summary>
    AfterItsEffect,

    /// <summary>The call is on its way: it takes effect when the next process is at work already. What is stored on the machine itself is not.</summary>
    BeforeItsEffect,
}

/// <summary>
/// A process that is killed: nothing that it does after it has any effect, and no call returns to it. What it wrote to the disk of its
/// machine is written whole or not at all, before the next process begins.
/// </summary>
internal sealed class MortalProcess : IDisposable
{
    private static readonly TimeSpan OnItsWay = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource _buried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<string, int> _made = new();
    private readonly List<Task> _writes = [];
    private readonly Lock _lock = new();
    private readonly TimeProvider _clock;
    private int? _fatalCall;
    private Death _death;
    private int _calls;

    private MortalProcess(TimeProvider clock, int? fatalPoint)
    {
        _clock = clock;
        Points = new AwaitPoints(point =>
        {
            if (point == fatalPoint)
            {
                Kill($"await point {point}");
            }
        });
    }

    /// <summary>The points at which it goes on.</summary>
    public AwaitPoints Points { get; }

    public Task Died => _died.Task;

    public bool IsDead { get; private set; }

    public CancellationToken Token => _end.Token;

    /// <summary>Where it died; of a call how often it had been made.</summary>
    public string? Point { get; private set; }

    /// <summary>What it had sent; completes when that has taken effect.</summary>
    public Task Sent { get; private set; } = Task.CompletedTask;

    /// <summary>One that dies at its n-th call.</summary>
    /// <param name="number">At which call, from 0.</param>
    /// <param name="death">How.</param>
    /// <param name="clock">Of the calls that are on their way.</param>
    public static MortalProcess DyingAtCall(int number, Death death, TimeProvider clock) => new(clock, null) { _fatalCall = number, _death = death };

    /// <summary>One that dies where its code goes on for the n-th time; null for one that lives.</summary>
    /// <param name="point">From 1.</param>
    /// <param name="clock">The clock.</param>
    public static MortalProcess DyingWhereItGoesOn(int? point, TimeProvider clock) => new(clock, point);

    public void Dispose()
    {
        _buried.TrySetResult();
        _end.Cancel();
        _end.Dispose();
    }

    /// <summary>Ends what is left of it in memory. Completes when all that it had begun to write is written.</summary>
    public async Task BuryAsync()
    {
        lock (_lock)
        {
            IsDead = true;
        }

        _end.Cancel();
        _buried.TrySetResult();
        await Task.WhenAll(_writes).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // it grows no more
    }

    /// <param name="name">What is called, and for what.</param>
    /// <param name="call">The call.</param>
    /// <param name="isRemote">Whether it may be on its way when the process is dead.</param>
    public async Task<T> CallAsync<T>(string name, Func<Task<T>> call, bool isRemote = true)
    {
        Task<T>? begun = null;
        lock (_lock)
        {
            var number = _calls++;
            var times = _made.AddOrUpdate(name, 1, static (_, n) => n + 1);
            var isFatal = number == _fatalCall && !IsDead;
            if (!IsDead && (!isFatal || _death == Death.AfterItsEffect))
            {
                begun = Points.OutsideAsync(call);
                if (!isRemote)
                {
                    _writes.Add(begun);
                }
            }

            if (isFatal)
            {
                Kill($"{name} #{times}");
                if (_death == Death.BeforeItsEffect && isRemote)
                {
                    Sent = Points.OutsideAsync(() => SendAsync(call));
                }
            }
        }

        if (begun is not null)
        {
            var result = await begun;
            if (!IsDead)
            {
                return result;
            }
        }

        _died.TrySetResult();
        await _buried.Task;
        throw new OperationCanceledException("the process is dead");
    }

    public Task<bool> CallAsync(string name, Func<Task> call, bool isRemote = true) => CallAsync(
        name,
        async () =>
        {
            await call();
            return true;
        },
        isRemote);

    private void Kill(string point)
    {
        lock (_lock)
        {
            if (!IsDead)
            {
                Point = point;
                IsDead = true;
            }
        }

        _died.TrySetResult();
    }

    private async Task<bool> SendAsync<T>(Func<Task<T>> call)
    {
        await Task.Delay(OnItsWay, _clock);
        try
        {
            await call();
            return true;
        }
        catch (Exception e) when (e is DriverException or AgentException or ObjectDisposedException or OperationCanceledException)
        {
            return false; // nobody is left to hear of it
        }
    }
}

internal sealed class MortalDriver(ICellDriver inner, MortalProcess process) : ICellDriver, IVolumeAttacher
{
    public DriverDescription Description => inner.Description;

    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => process.CallAsync("catalog", () => inner.GetCatalogAsync(cancellationToken));

    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => process.CallAsync("image", () => inner.ResolveImageAsync(reference, cancellationToken));

    public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) => process.CallAsync($"launch {request.InstanceType}", () => inner.LaunchAsync(request, process.IsDead ? default : cancellationToken));

    public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => process.CallAsync("list", () => inner.ListAsync(cancellationToken));

    public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) => process.CallAsync($"terminate {instanceIds.Count}", () => inner.TerminateAsync(instanceIds, process.IsDead ? default : cancellationToken));

    public AttachableVolume? Identify(PersistentVolume volume) => ((IVolumeAttacher)inner).Identify(volume);

    public Task<AttachedDevice> AttachAsync(string instanceId, AttachableVolume volume, bool readOnly, CancellationToken cancellationToken) =>
        process.CallAsync($"attach {volume.Id}", () => ((IVolumeAttacher)inner).AttachAsync(instanceId, volume, readOnly, process.IsDead ? default : cancellationToken));

    public Task DetachAsync(string instanceId, AttachableVolume volume, CancellationToken cancellationToken) =>
        process.CallAsync($"detach {volume.Id}", () => ((IVolumeAttacher)inner).DetachAsync(instanceId, volume, process.IsDead ? default : cancellationToken));
}

internal sealed class MortalStore(ICellStore inner, MortalProcess process) : ICellStore
{
    public Task<IReadOnlyList<CellRecord>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public Task<CellRecord> AddAsync(CellRecord record, CancellationToken cancellationToken) => process.CallAsync($"add {record.Pod?.Name}", () => inner.AddAsync(record, cancellationToken), isRemote: false);

    public Task<CellRecord> UpdateAsync(CellRecord record, CancellationToken cancellationToken) => process.CallAsync($"update {record.Pod?.Name} {record.State}", () => inner.UpdateAsync(record, cancellationToken), isRemote: false);

    public Task DeleteAsync(CellRecord record, CancellationToken cancellationToken) => process.CallAsync("delete", () => inner.DeleteAsync(record, cancellationToken), isRemote: false);
}

internal sealed class MortalConnector(ICellAgentConnector inner, MortalProcess process) : ICellAgentConnector
{
    public string GetEnrolmentToken(CellRecord cell) => inner.GetEnrolmentToken(cell);

    public async Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken) =>
        new MortalAgent(await process.CallAsync($"connect {cell.Pod?.Name} {cell.State}", () => inner.ConnectAsync(cell, onStep, cancellationToken)), process);
}

internal sealed class MortalAgent(ICellAgent inner, MortalProcess process) : ICellAgent
{
    public string Instance => inner.Instance;

    public Task ApplyPodAsync(PodAssignment assignment, CancellationToken cancellationToken) => process.CallAsync($"apply {assignment.Pod.Metadata.Name}", () => inner.ApplyPodAsync(assignment, process.IsDead ? default : cancellationToken));

    public Task StopPodAsync(string podUid, TimeSpan gracePeriod, CancellationToken cancellationToken) => process.CallAsync($"stop {podUid}", () => inner.StopPodAsync(podUid, gracePeriod, process.IsDead ? default : cancellationToken));

    public Task PullImageAsync(string image, IReadOnlyList<RegistryCredential> credentials, CancellationToken cancellationToken) => process.CallAsync($"pull {image}", () => inner.PullImageAsync(image, credentials, cancellationToken));

    public async IAsyncEnumerable<AgentUpdate> WatchAsync(long afterEvent, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var updates = inner.WatchAsync(afterEvent, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (await process.CallAsync("update of status", () => updates.MoveNextAsync().AsTask()))
        {
            yield return updates.Current;
        }
    }

    public IAsyncEnumerable<LogEntry> ReadLogsAsync(string podUid, LogQuery query, CancellationToken cancellationToken) => inner.ReadLogsAsync(podUid, query, cancellationToken);

    public Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken) => inner.ExecAsync(podUid, request, cancellationToken);

    public Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken) => inner.AttachAsync(podUid, request, cancellationToken);

    public Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken) => inner.ForwardPortAsync(podUid, port, cancellationToken);

    public Task<PodStatistics> GetStatisticsAsync(CancellationToken cancellationToken) => inner.GetStatisticsAsync(cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
