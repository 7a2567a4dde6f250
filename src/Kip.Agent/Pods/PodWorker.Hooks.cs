using Kip.Agent.Hooks;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Pods;

/// <summary>
/// Lifecycle hooks. postStart is delivered at least once to each run: an agent that was restarted before it was over begins it anew.
/// preStop precedes every stop that the agent decides, and is not run when a container ends by itself.
/// </summary>
internal sealed partial class PodWorker
{
    /// <summary>The kubelet knows no such limit, timers do.</summary>
    private static readonly TimeSpan LongestHook = TimeSpan.FromDays(7);

    /// <summary>What a container has for its own end however long its preStop hook took; as the kubelet.</summary>
    private static readonly TimeSpan LeastAfterPreStop = TimeSpan.FromSeconds(2);

    /// <summary>By how much the runtime's time limit of a preStop command exceeds the agent's, which is the one that counts.</summary>
    private static readonly TimeSpan PreStopSlack = TimeSpan.FromSeconds(2);

    /// <summary>The kubelet starts containers one after the other, and people order them by a postStart hook that waits.</summary>
    private static bool HoldsBackTheNext(ContainerSlot slot) =>
        slot.Spec.Lifecycle?.PostStart is not null && (slot.Starting || (slot.IsRunning && !slot.IsUp));

    /// <summary>Begins the hook of a container that runs, or ends the container whose hook failed.</summary>
    private void DecidePostStart(ContainerSlot slot)
    {
        var hooks = slot.Hooks;
        if (slot.IsUp || hooks.PostStarting)
        {
            return;
        }

        if (hooks.PostStartFailure is not null)
        {
            StopContainer(slot, _time.GetUtcNow() + _pod!.Grace, "FailedPostStartHook");
        }
        else if (!slot.Stopped && slot.Run is { IsRunning: true } run)
        {
            var (handler, target) = (slot.Spec.Lifecycle!.PostStart!, ActionTarget(slot, run.Id));
            hooks.PostStarting = true;
            Begin(
                async token =>
                {
                    using var either = CancellationTokenSource.CreateLinkedTokenSource(token, hooks.PostStartAbandoned);
                    return new HookEnd(await _hooks.RunAsync(handler, target, LongestHook, either.Token));
                },
                (end, error) => PostStarted(slot, hooks, run.Attempt, end?.Problem ?? error?.Message));
        }
    }

    private void PostStarted(ContainerSlot slot, RunHooks hooks, uint attempt, string? problem)
    {
        hooks.PostStarting = false;
        if (hooks.PostStartAbandoned.IsCancellationRequested)
        {
            return;
        }

        if (problem is null)
        {
            slot.Record.PostStarted = attempt + 1;
            return;
        }

        hooks.PostStartFailure = problem;
        slot.Waiting = new ContainerStateWaiting
        {
            Reason = WaitingReason.PostStartHookError, Message = $"PostStart hook of container {slot.Name} failed: {problem}",
        };
        HookFailed("postStart", slot.Name, problem);
        // What a command printed may be secret, and events are read by many.
        _parts.Board.Event("Warning", "FailedPostStartHook", "PostStartHook failed", slot.Name);
    }

    /// <summary>Begins the hook, unless it was begun already or there is no time for it.</summary>
    private void BeginPreStop(ContainerSlot slot, DateTimeOffset deadline)
    {
        var hooks = slot.Hooks;
        var remaining = deadline - _time.GetUtcNow();
        if (slot.Spec.Lifecycle?.PreStop is not { } handler || hooks.PreStop is not null
            || slot.Run is not { IsRunning: true } run || remaining <= TimeSpan.Zero)
        {
            return;
        }

        var target = ActionTarget(slot, run.Id);
        var time = remaining < LongestHook ? remaining : LongestHook;
        hooks.PreStop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Begin(
            async token =>
            {
                using var limit = new CancellationTokenSource(time, _time);
                using var any = CancellationTokenSource.CreateLinkedTokenSource(token, limit.Token, hooks.RunEnded);
                return new HookEnd(await _hooks.RunAsync(handler, target, time + PreStopSlack, any.Token));
            },
            (end, error) =>
            {
                // One that takes too long is none that failed.
                if ((end?.Problem ?? (error is OperationCanceledException ? null : error?.Message)) is { } problem
                    && !hooks.RunEnded.IsCancellationRequested)
                {
                    HookFailed("preStop", slot.Name, problem);
                    _parts.Board.Event("Warning", "FailedPreStopHook", "PreStopHook failed", slot.Name);
                }

                hooks.PreStop.SetResult();
            },
            countsAsChange: false);
    }

    /// <summary>Waits for the hook as long as there is time; the result is how long the container then has for its own end.</summary>
    private async Task<TimeSpan> AfterPreStopAsync(Task preStop, TimeSpan time, DateTimeOffset deadline, CancellationToken cancellationToken)
    {
        try
        {
            await preStop.WaitAsync(time < LongestHook ? time : LongestHook, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // It had its time; the stop goes on.
        }

        var remaining = deadline - _time.GetUtcNow();
        return remaining > LeastAfterPreStop ? remaining : LeastAfterPreStop;
    }

    [LoggerMessage(10, LogLevel.Warning, "The {Hook} hook of container {Container} failed: {Problem}")]
    private partial void HookFailed(string hook, string container, string problem);

    /// <param name="Problem">What went wrong; null when nothing did.</param>
    private sealed record HookEnd(string? Problem);
}
