using System.Runtime.CompilerServices;

namespace Kip.Testing;

/// <summary>
/// A clock that stands still until it is moved. Everything that waits through a <see cref="TimeProvider"/> (Task.Delay, PeriodicTimer,
/// time-outs of a CancellationTokenSource, timers) waits for this clock. Safe to use from many threads.
/// </summary>
/// <remarks>
/// <see cref="RunAsync(Func{Task}, TimeSpan?, CancellationToken)"/> is the shortest way to use it: the clock jumps from timer to timer
/// whenever the code under test has nothing left to do, so that hours pass in milliseconds and no jump overtakes work under way.
/// </remarks>
public sealed class VirtualClock : TimeProvider
{
    /// <summary>How much virtual time a wait may take unless it is told otherwise: one hour.</summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly SortedSet<VirtualTimer> _timers = new(VirtualTimer.ByDueTime);
    private readonly List<ClockWait> _waits = [];
    private readonly Settling _settling;
    private readonly DateTimeOffset _start;
    private long _now;
    private long _timersMade;
    private long _activity;
    private int _holds;
    private bool _isMoving;

    /// <summary>Makes a clock that stands at the first instant of the year 2030, UTC.</summary>
    public VirtualClock()
        : this(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    /// <summary>Makes a clock that stands at <paramref name="start"/>.</summary>
    /// <param name="start">The first instant.</param>
    public VirtualClock(DateTimeOffset start)
    {
        _start = start.ToUniversalTime();
        _settling = new Settling(this);
    }

    /// <summary>
    /// How long, in real time, a wait bears it that nothing happens at all: no timer to jump to and no code that looks at the clock.
    /// Default 30 s.
    /// </summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Virtual time since the start.</summary>
    public TimeSpan Elapsed => TimeSpan.FromTicks(Volatile.Read(ref _now));

    /// <summary>Number of timers that wait for their time.</summary>
    public int PendingTimers
    {
        get
        {
            lock (_gate)
            {
                return _timers.Count;
            }
        }
    }

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    internal long Activity => Volatile.Read(ref _activity);

    internal bool IsHeld => Volatile.Read(ref _holds) > 0;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow()
    {
        Interlocked.Increment(ref _activity);
        return _start + Elapsed;
    }

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        Interlocked.Increment(ref _activity);
        return Volatile.Read(ref _now);
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new VirtualTimer(this, callback, state, Interlocked.Increment(ref _timersMade));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>
    /// Moves the clock and runs the timers that come due on the way, in their order, on this thread. Code that a timer wakes up may go
    /// on in the background; <see cref="AdvanceAsync"/> waits for it.
    /// </summary>
    /// <param name="by">Zero or more.</param>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        AdvanceTo(Elapsed + by);
    }

    /// <summary>Moves the clock from timer to timer and lets the code that each wakes up come to rest before the next.</summary>
    /// <param name="by">Zero or more.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task AdvanceAsync(TimeSpan by, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        return AdvanceUntilAsync(Task.Delay(by, this, cancellationToken), by, cancellationToken);
    }

    /// <summary>Moves the clock from timer to timer until a condition holds.</summary>
    /// <param name="condition">Looked at, on another thread, whenever the code under test has come to rest.</param>
    /// <param name="within">Virtual time it may take; <see cref="DefaultLimit"/> when null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="what">What is waited for, for the message; the condition's own text by default.</param>
    /// <exception cref="TimeoutException">It does not hold within the time, or nothing happens any more.</exception>
    public async Task AdvanceUntilAsync(
        Func<bool> condition,
        TimeSpan? within = null,
        CancellationToken cancellationToken = default,
        [CallerArgumentExpression(nameof(condition))] string? what = null)
    {
        ArgumentNullException.ThrowIfNull(condition);
        var wait = new ClockWait(condition, Elapsed + (within ?? DefaultLimit), what, _settling.IsInside);
        await using var cancellation = cancellationToken.UnsafeRegister(
            static (wait, token) => ((ClockWait)wait!).Cancel(token), wait).ConfigureAwait(false);
        lock (_gate)
        {
            _waits.Add(wait);
            if (!_isMoving)
            {
                _isMoving = true;
                StartMoving();
            }
        }

        await wait.Task.ConfigureAwait(false);
    }

    /// <summary>Moves the clock from timer to timer until a task has ended; throws what the task throws.</summary>
    /// <param name="task">The task.</param>
    /// <param name="within">Virtual time it may take; <see cref="DefaultLimit"/> when null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="what">What is waited for, for the message; the task's own text by default.</param>
    /// <exception cref="TimeoutException">It does not end within the time, or nothing happens any more.</exception>
    public async Task AdvanceUntilAsync(
        Task task,
        TimeSpan? within = null,
        CancellationToken cancellationToken = default,
        [CallerArgumentExpression(nameof(task))] string? what = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        await AdvanceUntilAsync(() => task.IsCompleted, within, cancellationToken, what).ConfigureAwait(false);
        await task.ConfigureAwait(false);
    }

    /// <summary>
    /// Runs a simulation on the thread pool and moves the clock from timer to timer until it has ended; throws what it throws. No jump
    /// overtakes code that was started in it. <see cref="AdvanceUntilAsync(Func{bool}, TimeSpan?, CancellationToken, string?)"/> may be
    /// called from within.
    /// </summary>
    /// <param name="simulation">The code under test and the test of it.</param>
    /// <param name="within">Virtual time it may take; <see cref="DefaultLimit"/> when null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">It does not end within the time, or nothing happens any more.</exception>
    public Task RunAsync(Func<Task> simulation, TimeSpan? within = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(simulation);

        // On the pool there is no synchronisation context, which would take the simulation's code to threads of its own.
        return Task.Run(
            async () =>
            {
                _settling.IsInside = true;
                await AdvanceUntilAsync(Task.Run(simulation, cancellationToken), within, cancellationToken, "the simulation to end").ConfigureAwait(false);
            },
            cancellationToken);
    }

    /// <summary>
    /// Keeps the clock from jumping by itself while something is under way that neither it nor the thread pool can see, for example an
    /// answer awaited from a socket.
    /// </summary>
    /// <returns>Ends the hold when it is disposed.</returns>
    public IDisposable Hold()
    {
        Interlocked.Increment(ref _holds);
        return new Holding(this);
    }

    internal void Schedule(VirtualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        lock (_gate)
        {
            _timers.Remove(timer);
            if (dueTime != Timeout.InfiniteTimeSpan && !timer.IsDisposed)
            {
                timer.Due = TimeSpan.FromTicks(_now) + dueTime;
                timer.Period = period;
                _timers.Add(timer);
            }
        }

        // After it is there: who sees this and looks for timers must find it.
        Interlocked.Increment(ref _activity);
        if (dueTime == TimeSpan.Zero)
        {
            // As with real timers: at once, but not on the thread that sets it.
            ThreadPool.UnsafeQueueUserWorkItem(static clock => clock.AdvanceTo(clock.Elapsed), this, preferLocal: false);
        }
    }

    internal void Remove(VirtualTimer timer)
    {
        Interlocked.Increment(ref _activity);
        lock (_gate)
        {
            timer.IsDisposed = true;
            _timers.Remove(timer);
        }
    }

    private void StartMoving()
    {
        // Whoever waits first must not lend the thread its identity as code of the simulation: it would never be at rest.
        using (ExecutionContext.SuppressFlow())
        {
            new Thread(Move) { IsBackground = true, Name = nameof(VirtualClock) }.Start();
        }
    }

    /// <summary>Moves the clock as long as somebody waits.</summary>
    private void Move()
    {
        while (GetWaits() is { Count: > 0 } known)
        {
            _settling.Wait(known.TrueForAll(wait => wait.IsInside));

            // Those that came while the code settled want to be asked before the next jump.
            var waits = GetWaits();
            if (waits.Count == 0)
            {
                return;
            }

            if (waits.FindAll(wait => wait.TryEnd()).Count > 0)
            {
                continue;
            }

            var deadline = waits.Min(wait => wait.Deadline);
            var seen = Activity; // before the look for timers: one that comes after the look counts as activity
            if (NextDue() is { } due && due <= deadline)
            {
                AdvanceTo(due);
            }
            else if (NextDue() is not null)
            {
                AdvanceTo(deadline);
                Fail(waits.FindAll(wait => wait.Deadline == deadline), $"Waited until {_start + deadline:O} (virtual time) for");
            }
            else if (!_settling.WaitForActivity(seen, () => waits.Exists(wait => wait.TryEnd()), Patience))
            {
                Fail(waits, $"Nothing happened for {Patience} (real time) while waiting for");
            }
        }
    }

    /// <summary>Those who still wait; when nobody does the thread that moves the clock must end.</summary>
    private List<ClockWait> GetWaits()
    {
        lock (_gate)
        {
            _waits.RemoveAll(wait => wait.IsEnded);
            _isMoving = _waits.Count > 0;
            return [.. _waits];
        }
    }

    private void Fail(List<ClockWait> waits, string why)
    {
        foreach (var wait in waits)
        {
            wait.Fail(new TimeoutException(
                $"{why}: {wait.What}. The clock stands at {_start + Elapsed:O}, {Elapsed} after its start; {PendingTimers} timers are pending."));
        }
    }

    private TimeSpan? NextDue()
    {
        lock (_gate)
        {
            return _timers.Min?.Due;
        }
    }

    private void AdvanceTo(TimeSpan target)
    {
        while (TakeDue(target) is { } timer)
        {
            timer.Fire();
        }

        lock (_gate)
        {
            _now = Math.Max(_now, target.Ticks);
        }
    }

    private VirtualTimer? TakeDue(TimeSpan target)
    {
        lock (_gate)
        {
            if (_timers.Min is not { } timer || timer.Due > target)
            {
                return null;
            }

            _timers.Remove(timer);
            _now = Math.Max(_now, timer.Due.Ticks);
            if (timer.Period > TimeSpan.Zero)
            {
                timer.Due += timer.Period;
                _timers.Add(timer);
            }

            timer.Begin();
            return timer;
        }
    }

    private sealed class Holding(VirtualClock clock) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                Interlocked.Increment(ref clock._activity);
                Interlocked.Decrement(ref clock._holds);
            }
        }
    }
}
