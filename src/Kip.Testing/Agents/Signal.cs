namespace Kip.Testing;

/// <summary>Wakes up everybody who waits for a change. Take <see cref="Next"/> before looking at the state, or a change is missed.</summary>
internal sealed class Signal
{
    private TaskCompletionSource _next = Make();

    public Task Next => Volatile.Read(ref _next).Task;

    public void Pulse() => Interlocked.Exchange(ref _next, Make()).TrySetResult();

    private static TaskCompletionSource Make() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
