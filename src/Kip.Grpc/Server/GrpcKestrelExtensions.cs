using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Kip.Grpc.Server;

/// <summary>Prepares Kestrel for gRPC.</summary>
public static class GrpcKestrelExtensions
{
    /// <summary>
    /// Lifts the server-wide limits that would break streams: a caller that reads slowly is held back by flow control and
    /// not cut off. (The limits on requests are lifted call by call and need no configuration.)
    /// </summary>
    public static KestrelServerOptions ConfigureForGrpc(this KestrelServerOptions kestrel)
    {
        ArgumentNullException.ThrowIfNull(kestrel);
        kestrel.Limits.MinResponseDataRate = null;
        return kestrel;
    }
}
