namespace Kip.Testing;

/// <summary>
/// Tells when the code under test has nothing left to do but wait for a <see cref="VirtualClock"/>: nobody uses the clock, and the
/// thread pool has neither work queued nor a thread at work. Must itself run on a thread of its own.
/// </summary>
/// <remarks>
/// Other code of the process uses the same pool, and test runners keep threads of it blocked. Threads that were busy when the clock was
/// made do not count. While others keep the pool busy later it is enough that nobody has used the clock for a good while; threads that
/// were busy all that while do not count from then on.
/// </remarks>
internal sealed class Settling(VirtualClock clock)
{
    // Looks in a row at which the pool was idle; between two of them a thread that was just being woken shows itself.
    private const int IdleLooks = 3;

    // Looks without a pause; after them the pool is looked at every millisecond.
    private const int QuickLooks = 50;

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan CountTime = TimeSpan.FromMilliseconds(2);

    // Code in a synchronisation context is not on the pool and cannot be seen, so there the quiet must do alone, and a short one.
    private readonly bool _poolShowsAll = SynchronizationContext.Current is null;
    private readonly TimeSpan _quietTime = TimeSpan.FromMilliseconds(SynchronizationContext.Current is null ? 1000 : 20);
    private int _blockedThreads = clock.BlockedThreads;

    /// <summary>Number of pool threads that are at work all the time.</summary>
    public static int CountBlockedThreads()
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

    /// <summary>Waits until the code under test has come to rest.</summary>
    public void Wait(CancellationToken cancellationToken)
    {
        var seen = clock.Activity;
        var quietSince = TimeProvider.System.GetTimestamp();
        for (int idle = 0, looks = 0; ; looks++)
        {
            Pause(looks, cancellationToken);
            var busy = CountBusyThreads();
            _blockedThreads = Math.Min(_blockedThreads, busy);
            if (clock.Activity != seen || clock.IsHeld)
            {
                (seen, quietSince, idle) = (clock.Activity, TimeProvider.System.GetTimestamp(), 0);
                looks = clock.IsHeld ? QuickLooks : 0;
                continue;
            }

            idle = _poolShowsAll && busy == _blockedThreads && ThreadPool.PendingWorkItemCount == 0 ? idle + 1 : 0;
            if (idle == IdleLooks)
            {
                return;
            }

            if (TimeProvider.System.GetElapsedTime(quietSince) >= _quietTime)
            {
                _blockedThreads = busy;
                return;
            }
        }
    }

    /// <summary>
    /// Waits in real time until somebody uses the clock or the condition holds; false when neither comes for <paramref name="patience"/>.
    /// </summary>
    public bool WaitForActivity(Func<bool> condition, TimeSpan patience, CancellationToken cancellationToken)
    {
        var seen = clock.Activity;
        var since = TimeProvider.System.GetTimestamp();
        while (clock.Activity == seen && !condition())
        {
            if (!clock.IsHeld && TimeProvider.System.GetElapsedTime(since) >= patience)
            {
                return false;
            }

            Pause(QuickLooks, cancellationToken);
        }

        return true;
    }

    private static void Pause(int looks, CancellationToken cancellationToken)
    {
        if (looks < QuickLooks)
        {
            Thread.Yield();
        }
        else
        {
            cancellationToken.WaitHandle.WaitOne(LookInterval);
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    private static int CountBusyThreads()
    {
        ThreadPool.GetMaxThreads(out var most, out _);
        ThreadPool.GetAvailableThreads(out var available, out _);
        return most - available;
    }
}
