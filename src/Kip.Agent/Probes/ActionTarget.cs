using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Probes;

/// <summary>The container that an action is aimed at.</summary>
/// <param name="ContainerId">The runtime's name of the run.</param>
/// <param name="PodAddress">The pod's IP address: what is connected to unless the action names a host. The cell's for a pod of its network.</param>
/// <param name="Ports">The container's ports, which an action may name.</param>
internal sealed record ActionTarget(string ContainerId, string PodAddress, IReadOnlyList<ContainerPort> Ports)
{
    /// <summary>Finds the number of a port that may be given by name.</summary>
    public bool TryFindPort(IntOrString port, out int number, [NotNullWhen(false)] out string? trouble)
    {
        number = port.Number ?? Ports.FirstOrDefault(each => each.Name == port.Name)?.Port ?? 0;
        trouble = number is > 0 and <= ushort.MaxValue ? null
            : port.Number is null ? $"couldn't find port: {port.Name}"
            : $"invalid port number: {number}";
        return trouble is null;
    }

    /// <summary>The host to connect to.</summary>
    public string Host(string? host) => host is { Length: > 0 } ? host : PodAddress;

    /// <summary>Host and port as in an address: IPv6 in brackets.</summary>
    public static string HostPort(string host, int port) => host.Contains(':', StringComparison.Ordinal) ? $"[{host}]:{port}" : $"{host}:{port}";

    /// <summary>Why there is no connection, in the words of the field.</summary>
    public static string Explain(SocketException error) => error.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "connect: connection refused",
        SocketError.HostUnreachable => "connect: no route to host",
        SocketError.NetworkUnreachable => "connect: network is unreachable",
        SocketError.ConnectionReset => "connection reset by peer",
        SocketError.TimedOut => "i/o timeout",
        SocketError.HostNotFound or SocketError.NoData => "no such host",
        _ => error.Message,
    };
}
