namespace Kip.Testing;

/// <summary>A timer of a <see cref="VirtualClock"/>.</summary>
internal sealed class VirtualTimer(VirtualClock clock, TimerCallback callback, object? state, long order) : ITimer
{
    public static readonly IComparer<VirtualTimer> ByDueTime = Comparer<VirtualTimer>.Create(
        static (a, b) => a.Due != b.Due ? a.Due.CompareTo(b.Due) : a._order.CompareTo(b._order));

    // As real timers do: the callback sees the flow (log scopes, culture) of whoever made the timer.
    private readonly ExecutionContext? _context = ExecutionContext.Capture();
    private readonly long _order = order;
    private int _running;
    private TaskCompletionSource? _finished;

    /// <summary>Since the clock's start. Changed only while the clock does not hold the timer, which is ordered by it.</summary>
    public TimeSpan Due { get; set; }

    public TimeSpan Period { get; set; }

    public bool IsDisposed { get; set; }

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        Check(dueTime, nameof(dueTime));
        Check(period, nameof(period));
        clock.Schedule(this, dueTime, period);
        return !IsDisposed;
    }

    public void Fire()
    {
        try
        {
            if (_context is null)
            {
                callback(state);
            }
            else
            {
                ExecutionContext.Run(_context, static timer => ((VirtualTimer)timer!).Call(), this);
            }
        }
        finally
        {
            if (Interlocked.Decrement(ref _running) == 0)
            {
                Volatile.Read(ref _finished)?.TrySetResult();
            }
        }
    }

    public void Begin() => Interlocked.Increment(ref _running);

    public void Dispose() => clock.Remove(this);

    public ValueTask DisposeAsync()
    {
        clock.Remove(this);
        var finished = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        finished = Interlocked.CompareExchange(ref _finished, finished, null) ?? finished;
        if (Volatile.Read(ref _running) == 0)
        {
            finished.TrySetResult();
        }

        return new ValueTask(finished.Task);
    }

    private static void Check(TimeSpan value, string name)
    {
        if (value != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero, name);
        }
    }

    private void Call() => callback(state);
}
