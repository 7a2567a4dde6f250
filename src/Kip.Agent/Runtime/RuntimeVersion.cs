using Kip.Grpc;

namespace Kip.Agent.Runtime;

/// <summary>
/// Which runtime answers behind CRI, asked for now and then so that a greeting need not wait for it. It boots beside the agent: whoever
/// needs it learns here, and nowhere else, that it has come.
/// </summary>
internal sealed class RuntimeVersion(ICriRuntime runtime, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan MaximumRetry = TimeSpan.FromMilliseconds(500);
    private readonly TaskCompletionSource _firstAnswer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string _text = "";

    /// <summary>For example "containerd 1.6.20"; empty while it does not answer.</summary>
    public string Text => _text;

    /// <summary>Completes, never with an error, when it has answered once.</summary>
    public Task FirstAnswer => _firstAnswer.Task;

    /// <summary>Runs until it is cancelled.</summary>
    /// <param name="came">Called when it answers for the first time, and for the first time again.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(Action came, CancellationToken cancellationToken)
    {
        var retry = FirstRetry;
        while (true)
        {
            var delay = Interval;
            try
            {
                var version = await runtime.VersionAsync(cancellationToken);
                var wasAway = _text.Length == 0;
                _text = $"{version.RuntimeName} {version.RuntimeVersion}";
                retry = FirstRetry;
                if (wasAway)
                {
                    _firstAnswer.TrySetResult();
                    came();
                }
            }
            catch (RpcException) when (!cancellationToken.IsCancellationRequested)
            {
                _text = "";
                delay = retry;
                retry = retry * 1.2 < MaximumRetry ? retry * 1.2 : MaximumRetry; // noticed a tenth of its boot late, on average
            }

            await Task.Delay(delay, time, cancellationToken);
        }
    }
}
