namespace Kip.Agent.Hooks;

/// <summary>How far the hooks of one run of a container are. Owned by the worker's loop.</summary>
internal sealed class RunHooks
{
    /// <summary>The postStart hook is under way.</summary>
    public bool PostStarting { get; set; }

    /// <summary>Why the postStart hook failed; null as long as it did not.</summary>
    public string? PostStartFailure { get; set; }

    /// <summary>Completes when the preStop hook is over; null before it begins. All stops of the run share it.</summary>
    public TaskCompletionSource? PreStop { get; set; }

    /// <summary>Fires when the run is to stop: whether it started well interests nobody any more.</summary>
    public CancellationToken PostStartAbandoned => PostStart.Token;

    /// <summary>Fires when the run has ended.</summary>
    public CancellationToken RunEnded => Run.Token;

    private CancellationTokenSource PostStart { get; } = new();

    private CancellationTokenSource Run { get; } = new();

    public void AbandonPostStart() => PostStart.Cancel();

    public void End()
    {
        PostStart.Cancel();
        Run.Cancel();
    }
}
