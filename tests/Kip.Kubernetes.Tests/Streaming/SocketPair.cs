using System.Net;
using System.Net.Sockets;

namespace Kip.Kubernetes.Tests;

/// <summary>Two ends of a TCP connection over loopback.</summary>
internal sealed class SocketPair : IDisposable
{
    private SocketPair(Socket left, Socket right)
    {
        Left = new NetworkStream(left, ownsSocket: true);
        Right = new NetworkStream(right, ownsSocket: true);
    }

    public NetworkStream Left { get; }

    public NetworkStream Right { get; }

    public static async Task<SocketPair> CreateAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var left = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await left.ConnectAsync(listener.LocalEndPoint!);
        return new SocketPair(left, await listener.AcceptAsync());
    }

    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
    }
}
