using Kip.Agent.Runtime.Containerd;
using Kip.Grpc;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Runtime;

/// <summary>
/// Listens to containerd's own event stream and says which container's process has ended. Only a wake-up call: what is true is read
/// through CRI, and a runtime without this service is merely noticed a little later.
/// </summary>
internal sealed partial class RuntimeEvents(GrpcChannel channel, TimeProvider time, ILogger<RuntimeEvents> logger)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);

    // Short, because a container that ends before the stream is there is noticed late; on a local socket a try costs next to nothing.
    private static readonly TimeSpan MaximumDelay = TimeSpan.FromMilliseconds(200);

    private readonly Method<SubscribeRequest, Envelope> _subscribe = Method.ServerStreaming(
        "containerd.services.events.v1.Events", "Subscribe", SubscribeRequest.Parser, Envelope.Parser);

    /// <summary>Runs until it is cancelled, or until the runtime turns out not to have the service.</summary>
    public async Task RunAsync(Action<string> containerExited, CancellationToken cancellationToken)
    {
        var request = new SubscribeRequest { Filters = { "topic==\"/tasks/exit\"" } };
        var delay = FirstDelay;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await foreach (var envelope in channel.ServerStreamingAsync(_subscribe, request, default, cancellationToken))
                {
                    delay = FirstDelay;
                    var exit = TaskExit.Parser.ParseFrom(envelope.Event.Value);
                    if (exit.Id == exit.ContainerId)
                    {
                        containerExited(exit.ContainerId);
                    }
                }
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
            {
                NoEvents();
                return;
            }
            catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
            {
                // The runtime is away or restarts; the pod worker reports that, here it is enough to come back.
                Lost(e.Status.Detail);
            }

            await Task.Delay(delay, time, cancellationToken);
            delay = delay * 2 < MaximumDelay ? delay * 2 : MaximumDelay;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "The runtime has no event service; ends of containers are noticed by listing alone")]
    private partial void NoEvents();

    [LoggerMessage(2, LogLevel.Debug, "Lost the runtime's event stream: {Reason}")]
    private partial void Lost(string reason);
}
