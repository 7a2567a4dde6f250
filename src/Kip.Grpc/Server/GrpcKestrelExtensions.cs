using System.IO.Pipelines;
using System.Net.Security;

using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Kip.Grpc.Server;

/// <summary>Prepares Kestrel for gRPC and other streams.</summary>
public static class GrpcKestrelExtensions
{
    // Two records (RFC 8446, 5.1), which is what SslStream makes and sends at once.
    private const int PieceSize = 32 * 1024;

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

    /// <summary>
    /// Reads and writes TLS in pieces of up to 32 KiB, two whole records, where Kestrel has pieces of 4 KiB: a large stream costs a quarter of
    /// the records and an eighth of the system calls. What is flushed goes out at once, as before. To be called after UseHttps.
    /// </summary>
    public static ListenOptions UseWholeTlsRecords(this ListenOptions listen)
    {
        ArgumentNullException.ThrowIfNull(listen);
        listen.Use(next => connection => RunAsync(connection, next));
        return listen;
    }

    private static async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        SslStream tls = connection.Features.Get<ISslStreamFeature>()?.SslStream
            ?? throw new InvalidOperationException($"{nameof(UseWholeTlsRecords)} comes after UseHttps.");
        IDuplexPipe transport = connection.Transport;
        var pipe = new TlsPipe(
            PipeReader.Create(tls, new StreamPipeReaderOptions(bufferSize: PieceSize, leaveOpen: true, useZeroByteReads: true)),
            PipeWriter.Create(tls, new StreamPipeWriterOptions(minimumBufferSize: PieceSize, leaveOpen: true)));
        connection.Transport = pipe;
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
            await pipe.Input.CompleteAsync();
            await pipe.Output.CompleteAsync();
        }
    }

    private sealed record TlsPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
