namespace Kip.Kubernetes.Streaming;

/// <summary>Names that port-forward uses on the wire (k8s.io/kubernetes/pkg/kubelet/cri/streaming/portforward).</summary>
internal static class PortForwardProtocol
{
    public const string Name = "portforward.k8s.io";
    public const string Tunnel = "SPDY/3.1+portforward.k8s.io";

    public const string StreamType = "streamType";
    public const string Port = "port";
    public const string RequestId = "requestID";
    public const string ErrorStream = "error";
    public const string DataStream = "data";

    /// <summary>An error stream carries at most this much; more is a peer gone wild.</summary>
    public const int MaxErrorBytes = 64 * 1024;

    /// <summary>How long a stream that nobody reads may hold up the other connections of the session.</summary>
    public static readonly TimeSpan StallTimeout = TimeSpan.FromSeconds(30);

    /// <summary>The options of a session whose streams have nothing to do with each other.</summary>
    public static StreamingOptions WithStallTimeout(StreamingOptions? options)
    {
        options ??= new StreamingOptions();
        return options.StallTimeout == Timeout.InfiniteTimeSpan ? options with { StallTimeout = StallTimeout } : options;
    }
}
