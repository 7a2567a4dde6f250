namespace Kip.Grpc;

/// <summary>How a call ended.</summary>
/// <param name="StatusCode">The code that programs decide by.</param>
/// <param name="Detail">The text for people; empty when there is none.</param>
public readonly record struct Status(StatusCode StatusCode, string Detail);
