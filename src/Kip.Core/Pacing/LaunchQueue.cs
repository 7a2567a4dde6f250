using Kip.Drivers;

namespace Kip.Pacing;

/// <summary>
/// Those who wait until the cloud takes another launch: the pod with the higher priority first, of those the older cell. Safe to use from
/// many threads.
/// </summary>
internal sealed class LaunchQueue : IDisposable
{
    private readonly Lock _gate = new();
    private readonly SortedSet<Turn> _waiting = new(Turn.ByRank);
    private readonly SortedDictionary<int, int> _countByPriority = [];
    private readonly Pace _calls;
    private readonly Pace _instances;
    private readonly ITimer _next;
    private long _entered;

    public LaunchQueue(CallLimits? limits, TimeProvider time)
    {
        _calls = new Pace(limits?.Launch, time);
        _instances = new Pace(limits?.Instances, time);
        _next = time.CreateTimer(static queue => ((LaunchQueue)queue!).Admit(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>How many wait.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count;
            }
        }
    }

    public void Dispose() => _next.Dispose();

    /// <summary>Completes when the launch may be made; it then counts as made.</summary>
    /// <param name="priority">Of the pod.</param>
    /// <param name="since">How old the cell is.</param>
    /// <param name="onWait">Told, before the wait, how many are before it and how long it may take; not told when there is nothing to wait for.</param>
    /// <param name="cancellationToken">Ends the wait; then nothing counts as made.</param>
    public Task EnterAsync(int priority, DateTimeOffset since, Action<int, TimeSpan>? onWait, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Turn turn;
        int before;
        TimeSpan wait;
        lock (_gate)
        {
            if (_waiting.Count == 0 && TryTake())
            {
                return Task.CompletedTask;
            }

            turn = new Turn(priority, since, _entered++);
            before = _countByPriority.Where(count => count.Key >= priority).Sum(static count => count.Value);
            wait = TimeFor(before + 1);
            _waiting.Add(turn);
            _countByPriority[priority] = _countByPriority.GetValueOrDefault(priority) + 1;
            if (_waiting.Count == 1)
            {
                Arm();
            }
        }

        onWait?.Invoke(before, wait);
        return WaitAsync(turn, cancellationToken);
    }

    /// <summary>The launch was refused: no instance is to be counted.</summary>
    public void ReturnInstance()
    {
        _instances.Return();
        Admit();
    }

    /// <inheritdoc cref="Pace.SlowDown"/>
    public bool SlowDown()
    {
        _instances.SlowDown(); // the cloud does not say which of the two it was
        return _calls.SlowDown();
    }

    private async Task WaitAsync(Turn turn, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            (state, token) =>
            {
                var given = (Turn)state!;
                lock (_gate)
                {
                    Remove(given);
                }

                given.TrySetCanceled(token);
            },
            turn).ConfigureAwait(false);
        await turn.Task.ConfigureAwait(false);
    }

    private void Admit()
    {
        lock (_gate)
        {
            while (_waiting.Min is { } first && TryTake())
            {
                Remove(first);
                first.TrySetResult();
            }

            Arm();
        }
    }

    private void Arm()
    {
        if (_waiting.Count > 0)
        {
            _next.Change(TimeFor(1), Timeout.InfiniteTimeSpan);
        }
    }

    private bool TryTake()
    {
        if (TimeFor(1) > TimeSpan.Zero)
        {
            return false;
        }

        _calls.Take();
        _instances.Take();
        return true;
    }

    private TimeSpan TimeFor(int launches)
    {
        var (calls, instances) = (_calls.TimeFor(launches), _instances.TimeFor(launches));
        return calls > instances ? calls : instances;
    }

    private void Remove(Turn turn)
    {
        if (_waiting.Remove(turn) && --_countByPriority[turn.Priority] == 0)
        {
            _countByPriority.Remove(turn.Priority);
        }
    }

    private sealed class Turn(int priority, DateTimeOffset since, long entered) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public static readonly IComparer<Turn> ByRank = Comparer<Turn>.Create(static (a, b) =>
            a.Priority != b.Priority ? b.Priority.CompareTo(a.Priority)
            : a.Since != b.Since ? a.Since.CompareTo(b.Since)
            : a.Entered.CompareTo(b.Entered));

        public int Priority { get; } = priority;

        private DateTimeOffset Since { get; } = since;

        private long Entered { get; } = entered;
    }
}
