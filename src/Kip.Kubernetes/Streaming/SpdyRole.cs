namespace Kip.Kubernetes.Streaming;

/// <summary>Which side of a SPDY connection one is: clients number their streams odd, servers even.</summary>
public enum SpdyRole
{
    /// <summary>The side that asked for the upgrade.</summary>
    Client,

    /// <summary>The side that was asked.</summary>
    Server,
}
