using Kip.Agent.Probes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Hooks;

/// <summary>Does what a lifecycle hook says, by the kubelet's rules.</summary>
internal sealed class HookRunner(ContainerActions actions, TimeProvider time)
{
    /// <summary>What servers see of hooks.</summary>
    public const string UserAgent = "kube-lifecycle/1.20+";

    /// <summary>Runs a hook to its end.</summary>
    /// <param name="handler">What to do.</param>
    /// <param name="target">The container it belongs to.</param>
    /// <param name="limit">How long it may take; the caller cancels at that time, and what runs in the container is given up soon after.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    /// <returns>What went wrong; null when the hook did its part.</returns>
    public async Task<string?> RunAsync(LifecycleHandler handler, ActionTarget target, TimeSpan limit, CancellationToken cancellationToken)
    {
        switch (handler)
        {
            case { Exec: { } exec }:
                var ended = await actions.ExecAsync(target.ContainerId, exec.Command ?? [], limit, cancellationToken);
                cancellationToken.ThrowIfCancellationRequested();
                return ended.IsSuccess ? null : ended.Output;
            case { HttpGet: { } get }:
                var answer = await actions.HttpGetAsync(get, target, UserAgent, limit, cancellationToken);
                // The request is the message; whatever the server makes of it, the hook was delivered.
                return answer.IsSuccess || answer.HasAnswer ? null : answer.Output;
            case { Sleep: { } sleep }:
                var seconds = Math.Clamp(sleep.Seconds, 0, (long)Math.Ceiling(limit.TotalSeconds));
                await Task.Delay(TimeSpan.FromSeconds(seconds), time, cancellationToken);
                return null;
            default:
                // The API keeps tcpSocket for old manifests. No kubelet has ever carried it out, nor taken it for done.
                return "invalid handler";
        }
    }
}
