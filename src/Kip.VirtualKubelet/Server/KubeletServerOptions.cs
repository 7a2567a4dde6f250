using System.Net;
using System.Net.Security;
using Kip.Kubernetes.Streaming;

namespace Kip.VirtualKubelet.Server;

/// <summary>How the kubelet API is served.</summary>
public sealed record KubeletServerOptions
{
    /// <summary>Name of the node, for authorisation and statistics.</summary>
    public required string NodeName { get; init; }

    /// <summary>
    /// The certificate, with its key and those of its issuers that clients need, asked for anew with each connection so that it can be rotated.
    /// </summary>
    public required Func<SslStreamCertificateContext> Certificate { get; init; }

    /// <summary>Where to listen; null, the default, for every address.</summary>
    public IPAddress? Address { get; init; }

    /// <summary>The port; 0 takes a free one. Default 10250.</summary>
    public int Port { get; init; } = 10250;

    /// <summary>
    /// Where metrics and statistics, and nothing else, are served over plain HTTP to whoever asks; port 0 takes a free one. Null, the
    /// default, for nowhere. <see cref="IPAddress.IPv6Any"/> is every address, of IPv4 too.
    /// </summary>
    public IPEndPoint? PlainMetrics { get; init; }

    /// <summary>Limits and times of exec, attach and port-forward.</summary>
    public StreamingOptions Streaming { get; init; } = new();

    /// <summary>How long a client may take to open the streams it announced. Default 30 s.</summary>
    public TimeSpan StreamCreationTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the statistics of one pod are waited for; the pod is left out then. Default 5 s.</summary>
    public TimeSpan StatisticsTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
