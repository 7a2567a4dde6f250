namespace Kip.Grpc.Wire;

/// <summary>Names and values of the protocol's headers.</summary>
internal static class Names
{
    public const string Timeout = "grpc-timeout";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string ContentType = "application/grpc";

    /// <summary>Whether a content type is gRPC's; <c>application/grpc-web</c> is another protocol.</summary>
    public static bool IsGrpc(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ContentType.Length || contentType[ContentType.Length] is '+' or ';');
}
