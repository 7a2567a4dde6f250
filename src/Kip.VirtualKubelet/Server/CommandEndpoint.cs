using Kip.Agents;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Streaming;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>/exec, /attach and /run.</summary>
internal sealed partial class CommandEndpoint(IPodHost host, KubeletServerOptions options, TimeProvider time, ILogger log)
{
    private const int MaxRunOutput = 16 * 1024 * 1024;

    public Task ExecAsync(HttpContext context, string @namespace, string name, string? uid, string container)
    {
        string[] command = [.. context.Request.Query["command"].OfType<string>()];
        return StreamAsync(context, @namespace, name, uid, container, (pod, streams, cancellationToken) => host.ExecAsync(
            pod.Metadata.Uid ?? "",
            new ExecRequest
            {
                Container = container,
                Command = command,
                Stdin = streams.Input,
                Stdout = streams.Output,
                Stderr = streams.ErrorOutput,
                Tty = streams.Tty,
            },
            cancellationToken));
    }

    public Task AttachAsync(HttpContext context, string @namespace, string name, string? uid, string container) =>
        StreamAsync(context, @namespace, name, uid, container, (pod, streams, cancellationToken) => host.AttachAsync(
            pod.Metadata.Uid ?? "",
            new AttachRequest
            {
                Container = container,
                Stdin = streams.Input,
                Stdout = streams.Output,
                Stderr = streams.ErrorOutput,
                Tty = streams.Tty,
            },
            cancellationToken));

    /// <summary>Runs a command to its end and answers with all its output.</summary>
    public async Task RunAsync(HttpContext context, string @namespace, string name, string? uid, string container)
    {
        if (await FindAsync(context, @namespace, name, uid, container).ConfigureAwait(false) is not { } pod)
        {
            return;
        }

        var command = context.Request.Query["cmd"].ToString().Split(' ');
        try
        {
            var session = await host.ExecAsync(
                pod.Metadata.Uid ?? "", new ExecRequest { Container = container, Command = command }, context.RequestAborted)
                .ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                using var all = new MemoryStream();
                await foreach (var output in session.ReadOutputAsync(context.RequestAborted).ConfigureAwait(false))
                {
                    all.Write(output.Data.Span[..(int)Math.Min(output.Data.Length, MaxRunOutput - all.Length)]);
                }

                if (await session.ExitCode.ConfigureAwait(false) is not 0 and var exitCode)
                {
                    context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                    await context.Response.WriteAsync($"command '{string.Join(' ', command)}' exited with {exitCode}: ").ConfigureAwait(false);
                }

                await context.Response.Body.WriteAsync(all.GetBuffer().AsMemory(0, (int)all.Length), context.RequestAborted)
                    .ConfigureAwait(false);
            }
        }
        catch (AgentException error)
        {
            await Answers.FailedAsync(context, error).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has left, and the command was cut off.
        }
    }

    private async Task StreamAsync(
        HttpContext context,
        string @namespace,
        string name,
        string? uid,
        string container,
        Func<Pod, RemoteCommandStreams, CancellationToken, Task<IContainerSession>> open)
    {
        var streams = ReadStreams(context.Request.Query);
        if (!streams.IsAny)
        {
            await Answers.BadRequestAsync(context, "you must specify at least 1 of stdin, stdout, stderr").ConfigureAwait(false);
            return;
        }

        if (await FindAsync(context, @namespace, name, uid, container).ConfigureAwait(false) is not { } pod)
        {
            return;
        }

        RemoteCommandServer? client;
        try
        {
            client = await AcceptAsync(context, streams).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            LogNoStreams(@namespace, name, container, error.Message);
            context.Abort();
            return;
        }

        if (client is not null)
        {
            await using (client.ConfigureAwait(false))
            {
                // What is stuck in a write to a client that does not read is freed by nothing else.
                using var broken = client.Closed.Register(context.Abort);
                await CommandSession.RunAsync(client, cancellationToken => open(pod, streams, cancellationToken), context.RequestAborted)
                    .ConfigureAwait(false);
            }
        }
    }

    private async Task<RemoteCommandServer?> AcceptAsync(HttpContext context, RemoteCommandStreams streams)
    {
        using var limit = new CancellationTokenSource(options.StreamCreationTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, context.RequestAborted);
        if (Upgrades.IsWebSocket(context.Request))
        {
            var wanted = Upgrades.WebSocketProtocols(context.Request);
            var protocol = wanted.FirstOrDefault(WebSocketRemoteCommandServer.Protocols.Contains);
            if (protocol is null && wanted.Count > 0)
            {
                await Upgrades.RefuseProtocolAsync(context, wanted, WebSocketRemoteCommandServer.Protocols).ConfigureAwait(false);
                return null;
            }

            return await Upgrades.ToWebSocketAsync(context, protocol).ConfigureAwait(false) is { } transport
                ? await WebSocketRemoteCommandServer.AcceptAsync(transport, protocol, streams, options.Streaming, either.Token).ConfigureAwait(false)
                : null;
        }

        if (Upgrades.IsSpdy(context.Request))
        {
            var wanted = Upgrades.SpdyProtocols(context.Request);
            if (SpdyRemoteCommandServer.Choose(wanted) is not { } protocol)
            {
                await Upgrades.RefuseProtocolAsync(context, wanted, SpdyRemoteCommandServer.Protocols).ConfigureAwait(false);
                return null;
            }

            var transport = await Upgrades.ToSpdyAsync(context, protocol).ConfigureAwait(false);
            return await SpdyRemoteCommandServer.AcceptAsync(transport, protocol, streams, options.Streaming, either.Token).ConfigureAwait(false);
        }

        await Upgrades.RefuseAsync(context).ConfigureAwait(false);
        return null;
    }

    private async Task<Pod?> FindAsync(HttpContext context, string @namespace, string name, string? uid, string container)
    {
        if (host.FindPod(@namespace, name) is not { } pod)
        {
            await Answers.NotFoundAsync(context, "pod does not exist").ConfigureAwait(false);
            return null;
        }

        if ((uid is not null && uid != pod.Metadata.Uid) || !pod.IsRunning(container))
        {
            await Answers.WriteAsync(context, StatusCodes.Status500InternalServerError, $"container not found (\"{container}\")")
                .ConfigureAwait(false);
            return null;
        }

        return pod;
    }

    private static RemoteCommandStreams ReadStreams(IQueryCollection query)
    {
        var tty = query["tty"] == "1";
        return new(query["input"] == "1", query["output"] == "1", query["error"] == "1" && !tty, tty);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "a client of {Namespace}/{Pod} {Container} asked for streams and did not open them: {Error}")]
    private partial void LogNoStreams(string @namespace, string pod, string container, string error);
}
