namespace Kip.Testing;

/// <summary>
/// Tells when a simulation has nothing left to do but wait for its <see cref="VirtualClock"/>: none of its code runs, no work is queued
/// on the thread pool, and nobody uses the clock. Must itself run on a thread of its own.
/// </summary>
/// <remarks>
/// Code of the simulation is known by its execution context, which flows through everything it awaits, starts and queues; so other tests
/// of the process do not disturb. What was started outside of the simulation is not known, there a short quiet must do.
/// </remarks>
internal sealed class Settling
{
    // Looks in a row at which all was idle. In between, a thread shows itself that has taken work and not begun it.
    private const int IdleLooks = 3;

    // Looks without a pause; after them there is one every millisecond.
    private const int QuickLooks = 50;

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan CountTime = TimeSpan.FromMilliseconds(2);

    // With threads of the pool at work that are not the simulation's, as far as can be seen: on a busy machine one that has taken its
    // work, and not begun it, may wait so long for a processor.
    private static readonly TimeSpan QuietTime = TimeSpan.FromMilliseconds(12);

    // With code under test that was started outside of the simulation.
    private static readonly TimeSpan QuietTimeOutside = TimeSpan.FromMilliseconds(20);

    // With code of the simulation that blocks its thread, or that computes for so long.
    private static readonly TimeSpan QuietTimeBlocked = TimeSpan.FromSeconds(1);

    private readonly VirtualClock _clock;
    private readonly AsyncLocal<bool> _flow;
    private readonly int _blockedThreads = CountBlockedThreads();
    private int _running;

    public Settling(VirtualClock clock)
    {
        _clock = clock;
        _flow = new AsyncLocal<bool>(change => Interlocked.Add(ref _running, Convert.ToInt32(change.CurrentValue) - Convert.ToInt32(change.PreviousValue)));
    }

    /// <summary>Whether the caller is code of the simulation. Set it, and so is all that the caller starts from then on.</summary>
    public bool IsInside
    {
        get => _flow.Value;
        set => _flow.Value = value;
    }

    /// <summary>Waits until the code under test has come to rest.</summary>
    /// <param name="all">Whether all code under test is inside of the simulation.</param>
    public void Wait(bool all)
    {
        var seen = _clock.Activity;
        var quietSince = TimeProvider.System.GetTimestamp();
        for (int idle = 0, looks = 0; ; looks++)
        {
            Pause(looks);
            if (_clock.Activity != seen || _clock.IsHeld)
            {
                (seen, quietSince, idle) = (_clock.Activity, TimeProvider.System.GetTimestamp(), 0);
                looks = _clock.IsHeld ? QuickLooks : 0;
                continue;
            }

            // Twice, because work may go from the queue to a thread between the two.
            var nobodyRuns = Volatile.Read(ref _running) == 0 && ThreadPool.PendingWorkItemCount == 0 && Volatile.Read(ref _running) == 0;
            idle = nobodyRuns ? idle + 1 : 0;
            var enough = !nobodyRuns ? QuietTimeBlocked
                : !all ? QuietTimeOutside
                : CountBusyThreads() > _blockedThreads ? QuietTime
                : TimeSpan.Zero;
            if ((idle >= IdleLooks || !nobodyRuns) && TimeProvider.System.GetElapsedTime(quietSince) >= enough)
            {
                return;
            }
        }
    }

    /// <summary>
    /// Waits in real time until somebody has used the clock since its activity was <paramref name="seen"/>, or the condition holds; false
    /// when neither comes in time.
    /// </summary>
    public bool WaitForActivity(long seen, Func<bool> condition, TimeSpan patience)
    {
        var since = TimeProvider.System.GetTimestamp();
        while (_clock.Activity == seen && !condition())
        {
            if (!_clock.IsHeld && TimeProvider.System.GetElapsedTime(since) >= patience)
            {
                return false;
            }

            Pause(QuickLooks);
        }

        return true;
    }

    private static void Pause(int looks)
    {
        if (looks < QuickLooks)
        {
            Thread.Yield();
        }
        else
        {
            Thread.CurrentThread.Join(LookInterval);
        }
    }

    // Test runners keep threads of the pool blocked all the time.
    private static int CountBlockedThreads()
    {
        var since = TimeProvider.System.GetTimestamp();
        var least = CountBusyThreads();
        while (least > 0 && TimeProvider.System.GetElapsedTime(since) < CountTime)
        {
            Thread.Yield();
            least = Math.Min(least, CountBusyThreads());
        }

        return least;
    }

    private static int CountBusyThreads()
    {
        ThreadPool.GetMaxThreads(out var most, out _);
        ThreadPool.GetAvailableThreads(out var available, out _);
        return most - available;
    }
}
