using Kip.Grpc;

namespace Kip.Agent.Runtime;

/// <summary>Which runtime answers behind CRI, asked for now and then so that a greeting need not wait for it.</summary>
internal sealed class RuntimeVersion(ICriRuntime runtime, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MaximumRetry = TimeSpan.FromMilliseconds(500);
    private volatile string _text = "";

    /// <summary>For example "containerd 1.6.20"; empty while it does not answer.</summary>
    public string Text => _text;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var retry = TimeSpan.FromMilliseconds(20);
        while (true)
        {
            var delay = Interval;
            try
            {
                var version = await runtime.VersionAsync(cancellationToken);
                _text = $"{version.RuntimeName} {version.RuntimeVersion}";
                retry = TimeSpan.FromMilliseconds(20);
            }
            catch (RpcException) when (!cancellationToken.IsCancellationRequested)
            {
                _text = "";
                delay = retry;
                retry = retry * 2 < MaximumRetry ? retry * 2 : MaximumRetry;
            }

            await Task.Delay(delay, time, cancellationToken);
        }
    }
}
