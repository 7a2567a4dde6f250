namespace Kip.Core.Tests.Cells.Crashes;

/// <summary>
/// Counts how often code of a process goes on: after an await, in a timer, in work that was queued. Its execution context flows through all
/// that it starts, and the runtime tells an <see cref="AsyncLocal{T}"/> whenever a thread takes that context up.
/// </summary>
internal sealed class AwaitPoints
{
    private readonly AsyncLocal<bool> _inside;
    private int _count;

    /// <param name="reached">Told of each point, from 1, before the code there goes on; on its thread.</param>
    public AwaitPoints(Action<int> reached) => _inside = new(change =>
    {
        if (change is { ThreadContextChanged: true, CurrentValue: true })
        {
            reached(Interlocked.Increment(ref _count));
        }
    });

    public int Count => Volatile.Read(ref _count);

    /// <summary>Runs the beginning of a process; what it starts belongs to it.</summary>
    public async Task<T> InsideAsync<T>(Func<Task<T>> begin)
    {
        _inside.Value = true;
        return await begin();
    }

    /// <summary>Runs what a process asks of others: what they do is theirs.</summary>
    public async Task<T> OutsideAsync<T>(Func<Task<T>> call)
    {
        _inside.Value = false;
        return await call();
    }
}
