namespace Kip.VirtualKubelet.Tests.Support;

/// <summary>A clock that goes faster than the machine's, and that can be set.</summary>
/// <param name="speed">How many times faster time passes, for timers too.</param>
internal sealed class TestTime(int speed = 1) : TimeProvider
{
    private readonly long _start = System.GetTimestamp();
    private readonly DateTimeOffset _began = System.GetUtcNow();
    private long _offset;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Since it was made, whatever the clock was set to.</summary>
    public TimeSpan Elapsed => System.GetElapsedTime(_start) * speed;

    /// <summary>Sets the clock on, or back. Timers do not care.</summary>
    public void Set(TimeSpan onBy) => Interlocked.Add(ref _offset, onBy.Ticks);

    public override long GetTimestamp() => Elapsed.Ticks;

    public override DateTimeOffset GetUtcNow() => _began + Elapsed + TimeSpan.FromTicks(Interlocked.Read(ref _offset));

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new Timer(System.CreateTimer(callback, state, Real(dueTime), Real(period)), this);

    // An infinite time is -1 ms.
    private TimeSpan Real(TimeSpan time) => time <= TimeSpan.Zero ? time : time / speed;

    private sealed class Timer(ITimer timer, TestTime time) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(time.Real(dueTime), time.Real(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
