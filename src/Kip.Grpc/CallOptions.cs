namespace Kip.Grpc;

/// <summary>What one call may say beyond its request.</summary>
/// <param name="Timeout">
/// How long the call may take in all, streams included; sent to the server and enforced on both sides. Null: no limit.
/// </param>
/// <param name="Headers">Metadata to send before the first message.</param>
public readonly record struct CallOptions(TimeSpan? Timeout = null, Metadata? Headers = null)
{
    /// <summary>Called once with the server's headers, before the first response message is handed out.</summary>
    public Action<Metadata>? OnResponseHeaders { get; init; }

    /// <summary>
    /// Called once with the server's trailers when the call succeeds, after the last message. When it fails the trailers are
    /// those of the <see cref="RpcException"/>.
    /// </summary>
    public Action<Metadata>? OnResponseTrailers { get; init; }
}
