using System.Net;
using System.Net.Http;
using System.Net.Sockets;

namespace Kip.Grpc.Client;

/// <summary>The gRPC status of a call that HTTP ended before gRPC could.</summary>
internal static class HttpFailures
{
    /// <summary>Source: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md</summary>
    public static StatusCode FromStatus(HttpStatusCode status) => status switch
    {
        HttpStatusCode.BadRequest => StatusCode.Internal,
        HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
        HttpStatusCode.NotFound => StatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests
            or HttpStatusCode.BadGateway
            or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    public static RpcException FromException(Exception e, string address)
    {
        // The innermost message is the one that says what happened: "Connection refused", not "an error occurred".
        string reason = e.GetBaseException().Message;
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpProtocolException protocol)
            {
                return new RpcException(FromHttp2Error(protocol.ErrorCode), $"{address} broke off the call: {protocol.Message}", inner: e);
            }
        }

        if (e.GetBaseException() is SocketException { SocketErrorCode: SocketError.AddressNotAvailable } && address.StartsWith("unix:", StringComparison.Ordinal))
        {
            reason = "there is no such socket"; // what the runtime makes of ENOENT: "Cannot assign requested address"
        }

        return new RpcException(StatusCode.Unavailable, $"{address} is unavailable: {reason}", inner: e);
    }

    /// <summary>
    /// Source: "HTTP2 Transport Mapping, Errors" of https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, except
    /// that NO_ERROR is Unavailable: it is how a server says goodbye.
    /// </summary>
    private static StatusCode FromHttp2Error(long code) => code switch
    {
        0x0 or 0x7 => StatusCode.Unavailable, // NO_ERROR, REFUSED_STREAM
        0x8 => StatusCode.Cancelled, // CANCEL
        0xb => StatusCode.ResourceExhausted, // ENHANCE_YOUR_CALM
        0xc => StatusCode.PermissionDenied, // INADEQUATE_SECURITY
        _ => StatusCode.Internal,
    };
}
