using System.Net;
using System.Security.Cryptography.X509Certificates;

using Kip.Grpc.Wire;

using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Kip.Grpc.Server;

/// <summary>What a handler knows about its call. Valid until the handler ends.</summary>
public sealed class ServerCallContext
{
    private readonly HttpContext _http;
    private Metadata? _requestHeaders;
    private Metadata? _responseHeaders;
    private Metadata? _responseTrailers;

    internal ServerCallContext(HttpContext http, DateTimeOffset? deadline, CancellationToken cancellationToken)
    {
        _http = http;
        Deadline = deadline;
        CancellationToken = cancellationToken;
    }

    /// <summary>The path of the method: <c>/package.Service/Method</c>.</summary>
    public string Method => _http.Request.Path.Value!;

    /// <summary>The metadata the caller sent, HTTP's own headers such as <c>user-agent</c> included.</summary>
    /// <exception cref="RpcException">A binary value is not base64 (Internal).</exception>
    public Metadata RequestHeaders => _requestHeaders ??= Decode(_http.Request.Headers);

    /// <summary>Metadata to send before the first response message; later additions are lost.</summary>
    public Metadata ResponseHeaders => _responseHeaders ??= [];

    /// <summary>Metadata to send behind the status.</summary>
    public Metadata ResponseTrailers => _responseTrailers ??= [];

    /// <summary>When the caller stops waiting, by this machine's clock; null if it waits for ever.</summary>
    public DateTimeOffset? Deadline { get; }

    /// <summary>Fires when the caller cancels, its connection is lost or the deadline passes.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>The certificate the caller proved itself with, if the listener asked for one.</summary>
    public X509Certificate2? ClientCertificate => _http.Connection.ClientCertificate;

    /// <summary>Where the caller is.</summary>
    public EndPoint? Peer =>
        _http.Connection.RemoteIpAddress is { } address
            ? new IPEndPoint(address, _http.Connection.RemotePort)
            : _http.Features.Get<IConnectionEndPointFeature>()?.RemoteEndPoint;

    internal bool HasResponseHeaders => _responseHeaders is { Count: > 0 };

    /// <summary>
    /// Sends <see cref="ResponseHeaders"/> now instead of with the first message, so that a caller knows that its stream is
    /// served before there is anything to say.
    /// </summary>
    /// <exception cref="OperationCanceledException">The call has ended.</exception>
    public async Task SendResponseHeadersAsync()
    {
        ApplyHeaders();
        await _http.Response.BodyWriter.FlushAsync(CancellationToken);
    }

    /// <summary>Puts the response headers where HTTP sends them from, unless they have gone already.</summary>
    internal void ApplyHeaders()
    {
        if (!_http.Response.HasStarted && _responseHeaders is { } headers)
        {
            _responseHeaders = null;
            Encode(headers, _http.Response.Headers);
        }
    }

    internal void ApplyTrailers(IHeaderDictionary into)
    {
        if (_responseTrailers is { } trailers)
        {
            Encode(trailers, into);
        }
    }

    private static void Encode(Metadata metadata, IHeaderDictionary into)
    {
        foreach (MetadataEntry entry in metadata)
        {
            into.Append(entry.Key, MetadataWire.Encode(entry));
        }
    }

    private static Metadata Decode(IHeaderDictionary headers)
    {
        var metadata = new Metadata();
        foreach ((string name, StringValues values) in headers)
        {
            foreach (string? value in values)
            {
                MetadataWire.Decode(metadata, name, value ?? "");
            }
        }

        return metadata;
    }
}
