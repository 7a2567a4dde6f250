namespace Kip.Kubernetes.Streaming;

/// <summary>Why a stream was reset (SPDY 3.1, 2.4.2).</summary>
public enum SpdyStreamStatus
{
    /// <summary>Not reset.</summary>
    None = 0,

    /// <summary>A frame broke the protocol.</summary>
    ProtocolError = 1,

    /// <summary>A frame named a stream that does not exist.</summary>
    InvalidStream = 2,

    /// <summary>The stream was refused before anything was done with it.</summary>
    RefusedStream = 3,

    /// <summary>The protocol's version is not spoken.</summary>
    UnsupportedVersion = 4,

    /// <summary>Its opener has lost interest.</summary>
    Cancel = 5,

    /// <summary>An error of the side that resets.</summary>
    InternalError = 6,

    /// <summary>More was sent than the receiver takes.</summary>
    FlowControlError = 7,

    /// <summary>A stream was opened twice.</summary>
    StreamInUse = 8,

    /// <summary>Data came for a stream whose sender had closed it.</summary>
    StreamAlreadyClosed = 9,
}
