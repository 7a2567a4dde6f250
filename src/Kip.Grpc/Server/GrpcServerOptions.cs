namespace Kip.Grpc.Server;

/// <summary>
/// What the gRPC endpoints of an application accept. Register one as a singleton service to change the defaults.
/// </summary>
public sealed class GrpcServerOptions
{
    /// <summary>The largest request message in bytes; larger ones end the call with ResourceExhausted. Null: no limit.</summary>
    public int? MaxReceiveMessageSize { get; init; } = 4 * 1024 * 1024;

    /// <summary>The largest response message in bytes; larger ones end the call with ResourceExhausted. Null: no limit.</summary>
    public int? MaxSendMessageSize { get; init; }

    /// <summary>The clock that deadlines run on.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
