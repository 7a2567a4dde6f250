using System.Net;
using System.Security.Cryptography.X509Certificates;
using Kip.Kubernetes.Streaming;

namespace Kip.VirtualKubelet.Server;

/// <summary>How the kubelet API is served.</summary>
public sealed record KubeletServerOptions
{
    /// <summary>Name of the node, for authorisation and statistics.</summary>
    public required string NodeName { get; init; }

    /// <summary>
    /// The certificate, with its key, asked for anew with each connection so that it can be rotated.
    /// </summary>
    public required Func<X509Certificate2> Certificate { get; init; }

    /// <summary>Where to listen; null, the default, for every address.</summary>
    public IPAddress? Address { get; init; }

    /// <summary>The port; 0 takes a free one. Default 10250.</summary>
    public int Port { get; init; } = 10250;

    /// <summary>Limits and times of exec, attach and port-forward.</summary>
    public StreamingOptions Streaming { get; init; } = new();

    /// <summary>How long a client may take to open the streams it announced. Default 30 s.</summary>
    public TimeSpan StreamCreationTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the statistics of one pod are waited for; the pod is left out then. Default 5 s.</summary>
    public TimeSpan StatisticsTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
