namespace Kip.Core.Tests.Cells.Crashes;

/// <summary>
/// Counts how often code of a process goes on: after an await, in a timer, in work that was queued. Its execution context flows through all
/// that it starts, and the runtime tells an <see cref="AsyncLocal{T}"/> whenever a thread takes that context up.
/// </summary>
/// <param name="fatal">The time, from 1, at which the process is killed; 0 for never.</param>
internal sealed class AwaitPoints(int fatal)
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public int Fatal => fatal;

    /// <summary>Runs the beginning of a process; what it starts belongs to it.</summary>
    public async Task<T> RunAsync<T>(MortalProcess process, Func<Task<T>> begin)
    {
        var inside = new AsyncLocal<bool>(change =>
        {
            if (change is { ThreadContextChanged: true, CurrentValue: true } && Interlocked.Increment(ref _count) == fatal)
            {
                process.Kill($"await point {fatal}");
            }
        });
        inside.Value = true;
        return await begin();
    }
}
