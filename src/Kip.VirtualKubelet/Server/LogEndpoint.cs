using Kip.Agents;
using Kip.Kubernetes.Objects;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>/containerLogs/{namespace}/{pod}/{container}</summary>
internal sealed partial class LogEndpoint(IPodHost host, TimeProvider time, ILogger log)
{
    // A follower is told at once that all is well, though the container may be silent for hours.
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(500);

    public async Task HandleAsync(HttpContext context, string @namespace, string name, string container)
    {
        if (LogRequest.Read(context.Request.Query, container, time.GetUtcNow(), out var problem) is not { } request)
        {
            var status = problem.Contains("decode", StringComparison.Ordinal)
                ? StatusCodes.Status400BadRequest
                : StatusCodes.Status422UnprocessableEntity;
            await Answers.WriteAsync(context, status, problem).ConfigureAwait(false);
            return;
        }

        if (host.FindPod(@namespace, name) is not { } pod)
        {
            await Answers.NotFoundAsync(context, $"pod \"{name}\" does not exist").ConfigureAwait(false);
        }
        else if (!pod.HasContainer(container))
        {
            await Answers.NotFoundAsync(context, $"container \"{container}\" not found in pod \"{name}\"").ConfigureAwait(false);
        }
        else if (pod.WhyNoLog(container, request.Query.Previous) is { } reason)
        {
            await Answers.BadRequestAsync(context, reason).ConfigureAwait(false);
        }
        else
        {
            await SendAsync(context, pod, request).ConfigureAwait(false);
        }
    }

    private async Task SendAsync(HttpContext context, Pod pod, LogRequest request)
    {
        var aborted = context.RequestAborted;
        context.Response.ContentType = "text/plain";
        try
        {
            await CopyAsync(pod, request, new LogWriter(context.Response.BodyWriter, request), aborted).ConfigureAwait(false);
        }
        catch (AgentException error) when (!context.Response.HasStarted)
        {
            await Answers.FailedAsync(context, error).ConfigureAwait(false);
        }
        catch (AgentException error)
        {
            // Cut off, so that nobody takes what came for all there is.
            LogCut(pod.Metadata.Namespace, pod.Metadata.Name, error.Message);
            context.Abort();
        }
        catch (OperationCanceledException) when (aborted.IsCancellationRequested)
        {
            // The client has left.
        }
    }

    private async Task CopyAsync(Pod pod, LogRequest request, LogWriter writer, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var entries = host.ReadLogsAsync(pod.Metadata.Uid ?? "", request.Query, end.Token).GetAsyncEnumerator(end.Token);
        await using (entries.ConfigureAwait(false))
        {
            Task<bool>? pending = null;
            try
            {
                pending = entries.MoveNextAsync().AsTask();
                if (request.Query.Follow)
                {
                    await Task.WhenAny(pending, Task.Delay(Silence, time, cancellationToken)).ConfigureAwait(false);
                    if (!pending.IsCompleted)
                    {
                        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
                    }
                }

                for (var more = await pending.ConfigureAwait(false); more && !writer.IsFull;)
                {
                    writer.Write(entries.Current);
                    var next = entries.MoveNextAsync();
                    if (next.IsCompleted && !writer.IsWorthFlushing && !writer.IsFull)
                    {
                        more = await next.ConfigureAwait(false);
                        continue;
                    }

                    // The client's pace is the cell's.
                    pending = next.AsTask();
                    await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
                    more = !writer.IsFull && await pending.ConfigureAwait(false);
                }

                await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                // An enumerator must not be disposed of while it works.
                await end.CancelAsync().ConfigureAwait(false);
                await (pending ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the log of {Namespace}/{Pod} was cut off: {Error}")]
    private partial void LogCut(string? @namespace, string? pod, string error);
}
