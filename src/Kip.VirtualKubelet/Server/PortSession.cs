using System.Buffers;
using Kip.Agents;
using Kip.Kubernetes.Streaming;

namespace Kip.VirtualKubelet.Server;

/// <summary>Joins a client's forwarded connection with a port of a pod, until both directions have ended or either side is gone.</summary>
internal static class PortSession
{
    private const int BufferSize = 32 * 1024;

    public static async Task RunAsync(
        PortForwardConnection client, Func<CancellationToken, Task<IPortConnection>> connect, CancellationToken cancellationToken)
    {
        string? error = null;
        try
        {
            var pod = await connect(cancellationToken).ConfigureAwait(false);
            await using (pod.ConfigureAwait(false))
            {
                await CopyAsync(client, pod, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (AgentException failure)
        {
            error = $"error forwarding port {client.Port} to pod: {failure.Message}";
        }
        catch (Exception left) when (left is IOException or OperationCanceledException)
        {
            // The client has closed this connection, or is gone.
        }

        try
        {
            await client.EndAsync(error, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception left) when (left is IOException or OperationCanceledException)
        {
            // As above: nobody is there to be told.
        }

        await client.Input.CompleteAsync().ConfigureAwait(false);
    }

    private static async Task CopyAsync(PortForwardConnection client, IPortConnection pod, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var toPod = ToPodAsync(client, pod, end.Token);
        var toClient = ToClientAsync(client, pod, end.Token);

        try
        {
            // When the client has said everything the pod may still answer. When the pod has, the connection is over, as it is with a
            // kubelet: kubectl closes its side only after it has read the end of the other one.
            if (await Task.WhenAny(toPod, toClient).ConfigureAwait(false) == toPod)
            {
                await toPod.ConfigureAwait(false);
            }

            await toClient.ConfigureAwait(false);
        }
        finally
        {
            await end.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(toPod, toClient).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task ToPodAsync(PortForwardConnection client, IPortConnection pod, CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await client.Input.ReadAsync(cancellationToken).ConfigureAwait(false);
            foreach (var part in result.Buffer)
            {
                await pod.WriteAsync(part, cancellationToken).ConfigureAwait(false);
            }

            client.Input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                if (client.IsInputCut)
                {
                    throw new IOException("the client has cut the connection");
                }

                await pod.CloseWriteAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
        }
    }

    private static async Task ToClientAsync(PortForwardConnection client, IPortConnection pod, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (await pod.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var count)
            {
                await client.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
            }

            await client.CloseWriteAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
