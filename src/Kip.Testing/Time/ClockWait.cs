namespace Kip.Testing;

/// <summary>Somebody who waits until a condition holds while the clock moves by itself.</summary>
/// <param name="Condition">Looked at whenever the code under test has come to rest.</param>
/// <param name="Deadline">The last instant, since the clock's start.</param>
/// <param name="What">What is waited for, in words.</param>
/// <param name="IsInside">Whether what is waited for is done by code of the simulation.</param>
internal sealed record ClockWait(Func<bool> Condition, TimeSpan Deadline, string? What, bool IsInside)
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Task => _ended.Task;

    public bool IsEnded => Task.IsCompleted;

    public void Fail(Exception error) => _ended.TrySetException(error);

    public void Cancel(CancellationToken cancellationToken) => _ended.TrySetCanceled(cancellationToken);

    /// <summary>Ends the wait if the condition holds, or if looking at it fails.</summary>
    public bool TryEnd()
    {
        try
        {
            return IsEnded || (Condition() && _ended.TrySetResult());
        }
        catch (Exception error)
        {
            // Whatever the test's own code throws belongs to the one who waits for it.
            Fail(error);
            return true;
        }
    }
}
