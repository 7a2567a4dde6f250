using Kip.Agent.Status;

namespace Kip.Agent.Probes;

/// <summary>One probe of one run of a container: checks at its pace and counts, by the kubelet's rules.</summary>
/// <param name="kind">What it decides.</param>
/// <param name="settings">Its pace and its limits.</param>
/// <param name="check">Does one check.</param>
/// <param name="report">Called with each verdict that differs from the one before, and with the first.</param>
/// <param name="container">Named in events.</param>
/// <param name="board">Takes the events.</param>
/// <param name="time">The clock.</param>
internal sealed class ProbeLoop(
    ProbeKind kind,
    ProbeSettings settings,
    Func<CancellationToken, Task<ActionOutcome>> check,
    Action<bool> report,
    string container,
    StatusBoard board,
    TimeProvider time)
{
    /// <summary>How often a check that could not be carried out is tried before it is given up until the next period.</summary>
    private const int MostAttempts = 3;

    /// <summary>
    /// Runs until it is cancelled, or has nothing more to decide: the container has come up, or is to be ended.
    /// </summary>
    /// <param name="started">When the container was started.</param>
    /// <param name="cancellationToken">The container has ended.</param>
    public async Task RunAsync(DateTimeOffset started, CancellationToken cancellationToken)
    {
        // Never more than the delay, whatever has become of the clock since.
        var delay = started + settings.InitialDelay - time.GetUtcNow();
        await WaitAsync(delay < settings.InitialDelay ? delay : settings.InitialDelay, cancellationToken);
        bool? verdict = null;
        bool? last = null;
        var inARow = 0;
        while (true)
        {
            var begun = time.GetTimestamp();
            if (await CheckAsync(cancellationToken) is { } succeeded)
            {
                inARow = succeeded == last ? inARow + 1 : 1;
                last = succeeded;
                if (inARow >= (succeeded ? settings.SuccessThreshold : settings.FailureThreshold) && verdict != succeeded)
                {
                    verdict = succeeded;
                    report(succeeded);
                    if (succeeded ? kind == ProbeKind.Startup : kind != ProbeKind.Readiness)
                    {
                        return;
                    }
                }
            }

            await WaitAsync(settings.Period - time.GetElapsedTime(begun), cancellationToken);
        }
    }

    /// <returns>Whether it succeeded; null when that could not be found out.</returns>
    private async Task<bool?> CheckAsync(CancellationToken cancellationToken)
    {
        var outcome = await check(cancellationToken);
        for (var attempt = 1; attempt < MostAttempts && outcome.Result == ActionResult.Unknown; attempt++)
        {
            outcome = await check(cancellationToken);
        }

        // What a check has to say that the end of its container cut short is of no interest.
        cancellationToken.ThrowIfCancellationRequested();
        switch (outcome.Result)
        {
            case ActionResult.Unknown:
                board.Event("Warning", "Unhealthy", $"{kind} probe errored and resulted in unknown state: {outcome.Output}", container);
                return null;
            case ActionResult.Failure:
                board.Event("Warning", "Unhealthy", $"{kind} probe failed: {outcome.Output}", container);
                return false;
            case ActionResult.Warning:
                board.Event("Warning", "ProbeWarning", $"{kind} probe warning: {outcome.Output}", container);
                return true;
            default:
                return true;
        }
    }

    private Task WaitAsync(TimeSpan rest, CancellationToken cancellationToken) =>
        rest > TimeSpan.Zero ? Task.Delay(rest, time, cancellationToken) : Task.CompletedTask;
}
