using System.IO.Pipelines;
using System.Threading.Channels;
using Kip.Agents;
using Kip.Kubernetes.Streaming;

namespace Kip.VirtualKubelet.Server;

/// <summary>Joins a client's streams with those of a command on a cell, until either of them ends.</summary>
internal static class CommandSession
{
    public static async Task RunAsync(
        RemoteCommandServer client, Func<CancellationToken, Task<IContainerSession>> open, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, client.Closed);
        try
        {
            var status = await CopyAsync(client, open, end.Token).ConfigureAwait(false);
            await client.CompleteAsync(status, end.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The client has left, and what it had started was cut off.
        }
    }

    private static async Task<RemoteCommandStatus> CopyAsync(
        RemoteCommandServer client, Func<CancellationToken, Task<IContainerSession>> open, CancellationToken cancellationToken)
    {
        try
        {
            var session = await open(cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                return await CopyAsync(client, session, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (AgentException error)
        {
            return RemoteCommandStatus.Failed(error.Message);
        }
    }

    private static async Task<RemoteCommandStatus> CopyAsync(
        RemoteCommandServer client, IContainerSession session, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var input = client.Input is { } reader ? CopyInputAsync(reader, session, ended.Token) : Task.CompletedTask;
        var sizes = CopySizesAsync(client.Sizes, session, ended.Token);
        try
        {
            await foreach (var output in session.ReadOutputAsync(cancellationToken).ConfigureAwait(false))
            {
                await client.WriteOutputAsync(output.IsError, output.Data, cancellationToken).ConfigureAwait(false);
            }

            return RemoteCommandStatus.Exited(await session.ExitCode.ConfigureAwait(false));
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(input, sizes).ConfigureAwait(false);
        }
    }

    private static async Task CopyInputAsync(PipeReader reader, IContainerSession session, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var result = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                foreach (var part in result.Buffer)
                {
                    await session.WriteInputAsync(part, cancellationToken).ConfigureAwait(false);
                }

                reader.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    await session.CloseInputAsync(cancellationToken).ConfigureAwait(false);
                    break;
                }
            }
        }
        catch (Exception error) when (error is AgentException or OperationCanceledException)
        {
            // How the command ended is told by its output.
        }

        // What still comes is thrown away, and holds up nothing.
        await reader.CompleteAsync().ConfigureAwait(false);
    }

    private static async Task CopySizesAsync(ChannelReader<TerminalSize> sizes, IContainerSession session, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var size in sizes.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                if (size is { Width: > 0, Height: > 0 })
                {
                    await session.ResizeAsync(size.Width, size.Height, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception error) when (error is AgentException or OperationCanceledException)
        {
            // As above.
        }
    }
}
