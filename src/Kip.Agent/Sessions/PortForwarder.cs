using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Google.Protobuf;
using Kip.Agent.Runtime;
using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agent.Sessions;

/// <summary>Answers ForwardPort: a connection to a server that listens in the pod, if only on its loopback address.</summary>
internal sealed class PortForwarder(SessionTargets targets, ICriRuntime runtime)
{
    private const int BufferSize = 64 << 10;

    public async IAsyncEnumerable<PortOutput> ForwardAsync(
        IAsyncEnumerable<PortInput> requests, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var inputs = requests.GetAsyncEnumerator(end.Token);
        if (!await inputs.MoveNextAsync() || inputs.Current.Open is not { } open)
        {
            throw new RpcException(StatusCode.InvalidArgument, "the first message must be 'open'");
        }

        using var socket = await ConnectAsync(open, cancellationToken);
        yield return new PortOutput { Opened = new PortOpened() };
        var sending = SendAsync(inputs, socket, cancellationToken);
        try
        {
            var count = 0;
            do
            {
                // Who is silent shall not hold a buffer.
                await ReceiveAsync(socket, Memory<byte>.Empty, cancellationToken);
                var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
                try
                {
                    count = await ReceiveAsync(socket, buffer, cancellationToken);
                    // It has been written out when the next one is asked for, so the buffer can be used again.
                    yield return count > 0
                        ? new PortOutput { Data = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, count)) }
                        : new PortOutput { EndOfData = new EndOfData() };
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
            while (count > 0);
            await sending;
        }
        finally
        {
            await end.CancelAsync();
            socket.Dispose();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<Socket> ConnectAsync(PortOpen open, CancellationToken cancellationToken)
    {
        if (open.Port is < 1 or > ushort.MaxValue)
        {
            throw new RpcException(StatusCode.InvalidArgument, $"port: {open.Port} is not between 1 and 65535");
        }

        var path = await runtime.NetworkNamespaceAsync(targets.Sandbox(open.PodUid), cancellationToken).Explained();
        SocketException? refusal = null;
        foreach (var address in (IPAddress[])[IPAddress.Loopback, IPAddress.IPv6Loopback])
        {
            Socket? socket = null;
            try
            {
                // A socket stays for good in the namespace that it was made in.
                socket = NetworkNamespace.Run(path, () => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
                socket.NoDelay = true;
                await socket.ConnectAsync(address, (int)open.Port, cancellationToken);
                return socket;
            }
            catch (SocketException e)
            {
                socket?.Dispose();
                refusal ??= e;
            }
            catch (IOException e) when (e.InnerException is SocketException inner)
            {
                // The pod has no IPv6.
                refusal ??= inner;
            }
            catch (IOException e)
            {
                throw new RpcException(StatusCode.NotFound, "the pod does not run any more", inner: e);
            }
            catch (OperationCanceledException)
            {
                socket?.Dispose();
                throw;
            }
        }

        throw new RpcException(
            StatusCode.FailedPrecondition, $"cannot connect to port {open.Port} of the pod: {refusal!.Message}", inner: refusal);
    }

    private static async Task SendAsync(IAsyncEnumerator<PortInput> inputs, Socket socket, CancellationToken cancellationToken)
    {
        try
        {
            while (await inputs.MoveNextAsync() && inputs.Current.EndOfData is null)
            {
                for (var rest = inputs.Current.Data.Memory; !rest.IsEmpty;)
                {
                    rest = rest[await socket.SendAsync(rest, SocketFlags.None, cancellationToken)..];
                }
            }

            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw Broken(e);
        }
    }

    private static async ValueTask<int> ReceiveAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
        }
        catch (SocketException e)
        {
            throw Broken(e);
        }
    }

    private static RpcException Broken(Exception e) => new(StatusCode.Aborted, $"the server in the pod broke the connection: {e.Message}", inner: e);
}
