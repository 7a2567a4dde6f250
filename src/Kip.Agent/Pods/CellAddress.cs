using System.Net;
using System.Net.Sockets;

namespace Kip.Agent.Pods;

/// <summary>Finds the cell's own address.</summary>
internal static class CellAddress
{
    /// <summary>The address that is served on, or else the one that traffic to the outside leaves from; empty when there is none.</summary>
    public static string Find(IPAddress? listen)
    {
        if (listen is not null && !listen.Equals(IPAddress.Any) && !listen.Equals(IPAddress.IPv6Any))
        {
            return listen.ToString();
        }

        try
        {
            // Connecting a datagram socket sends nothing; it only makes the kernel choose a route.
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(IPAddress.Parse("192.0.2.1"), 9);
            return ((IPEndPoint)socket.LocalEndPoint!).Address.ToString();
        }
        catch (SocketException)
        {
            return "";
        }
    }
}
