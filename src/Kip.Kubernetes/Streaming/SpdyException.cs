namespace Kip.Kubernetes.Streaming;

/// <summary>A SPDY connection or stream has ended, or its peer broke the protocol; the message says how.</summary>
public sealed class SpdyException : IOException
{
    /// <summary>Says what happened.</summary>
    public SpdyException(string message)
        : base(message)
    {
    }

    /// <summary>Says what happened and what caused it.</summary>
    public SpdyException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
