using System.Net.Security;

namespace Kip.Grpc;

/// <summary>How a <see cref="GrpcChannel"/> connects and what it accepts.</summary>
public sealed class GrpcChannelOptions
{
    /// <summary>The largest response message in bytes; larger ones end the call with ResourceExhausted. Null: no limit.</summary>
    public int? MaxReceiveMessageSize { get; init; } = 4 * 1024 * 1024;

    /// <summary>The largest request message in bytes; larger ones end the call with ResourceExhausted. Null: no limit.</summary>
    public int? MaxSendMessageSize { get; init; }

    /// <summary>
    /// TLS for <c>https</c> addresses: client certificates, the name to expect, how to validate the server. Null: the
    /// system's trust store and no client certificate.
    /// </summary>
    public SslClientAuthenticationOptions? Ssl { get; init; }

    /// <summary>How long connecting may take, TLS included, before the call ends with Unavailable.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long the peer may be silent during a call before it is pinged; at least 1 s. Infinite (the default): never,
    /// because servers in Go drop clients that ping more often than their policy allows (5 minutes unless they say otherwise).
    /// </summary>
    public TimeSpan KeepAlivePingDelay { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>How long to wait for the answer to a ping before the connection counts as lost; at least 1 s.</summary>
    public TimeSpan KeepAlivePingTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The clock that call timeouts run on.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
