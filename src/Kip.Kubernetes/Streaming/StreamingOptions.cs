namespace Kip.Kubernetes.Streaming;

/// <summary>Limits and times of a session over SPDY or a WebSocket. The defaults suit one of one user.</summary>
public sealed record StreamingOptions
{
    /// <summary>Bytes that wait on one stream for their reader before the connection stops reading. Default 128 KiB.</summary>
    public int StreamBufferSize { get; init; } = 128 * 1024;

    /// <summary>
    /// How long the whole connection waits for the reader of one stream before that stream is reset. Infinite by default: right
    /// for the streams of one session, which belong together.
    /// </summary>
    public TimeSpan StallTimeout { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>How many streams may be open at a time; more are refused. Default 512.</summary>
    public int MaxStreams { get; init; } = 512;

    /// <summary>The largest control frame that is taken, in bytes. Default 64 KiB.</summary>
    public int MaxControlFrameSize { get; init; } = 64 * 1024;

    /// <summary>The largest header block that is taken, in bytes after decompression. Default 32 KiB.</summary>
    public int MaxHeaderBytes { get; init; } = 32 * 1024;

    /// <summary>
    /// Time between the pings that find out whether the peer is still there. An answer is not asked for, since a peer that is
    /// slow to read does not answer; a write that fails is what tells. Default 30 s.
    /// </summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long closing waits for the peer to have read everything. Default 10 s.</summary>
    public TimeSpan LingerTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The clock.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
