using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

using Google.Protobuf;

using Kip.Grpc.Client;
using Kip.Grpc.Wire;

namespace Kip.Grpc;

/// <summary>
/// Calls to one server. Connects when it is first needed and again after a loss; one channel carries any number of calls
/// at the same time and is safe for concurrent use.
/// </summary>
/// <remarks>
/// <para>
/// Every call ends in one of three ways: its result; an <see cref="RpcException"/>; or an
/// <see cref="OperationCanceledException"/> if, and only if, the token that the caller gave fired. A request sequence that
/// throws ends its call with that same exception.
/// </para>
/// <para>A call that cannot reach the server ends with Unavailable and is not repeated: when to try again is the caller's to say.</para>
/// </remarks>
public sealed class GrpcChannel : IDisposable
{
    internal const string UserAgent = "kip-grpc-dotnet";

    private const string UnixScheme = "unix:";

    // Of what a server may send ahead. The client asks for more when an eighth of it was read: with the default of 64 KiB, a packet for 8 KiB.
    private const int StreamWindow = 512 * 1024;

    private readonly CancellationTokenSource _closed = new();
    private readonly ConcurrentDictionary<string, Uri> _uris = new(StringComparer.Ordinal);
    private readonly Uri _base;

    private GrpcChannel(string address, Uri baseUri, HttpMessageInvoker invoker, GrpcChannelOptions options)
    {
        Address = address;
        _base = baseUri;
        Invoker = invoker;
        Options = options;
        Closed = _closed.Token;
    }

    /// <summary>The address as it was given.</summary>
    public string Address { get; }

    internal HttpMessageInvoker Invoker { get; }

    internal GrpcChannelOptions Options { get; }

    internal CancellationToken Closed { get; }

    /// <summary>Makes a channel without connecting.</summary>
    /// <param name="address">
    /// <c>http://host:port</c> (HTTP/2 without TLS), <c>https://host:port</c>, or <c>unix:/path</c> of a socket (without TLS).
    /// </param>
    /// <param name="options">Limits, TLS, time-outs; null for the defaults.</param>
    /// <exception cref="ArgumentException">The address is none of these.</exception>
    public static GrpcChannel ForAddress(string address, GrpcChannelOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(address);
        options ??= new GrpcChannelOptions();
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = StreamWindow,
            ConnectTimeout = options.ConnectTimeout,
            KeepAlivePingDelay = options.KeepAlivePingDelay,
            KeepAlivePingTimeout = options.KeepAlivePingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        if (options.Ssl is { } ssl)
        {
            handler.SslOptions = ssl;
        }

        Uri? uri;
        if (address.StartsWith(UnixScheme, StringComparison.Ordinal))
        {
            string path = address[UnixScheme.Length..];
            if (!path.StartsWith('/'))
            {
                throw new ArgumentException($"'{address}': a unix address needs an absolute path, as in unix:/run/x.sock.", nameof(address));
            }

            var endPoint = new UnixDomainSocketEndPoint(path.StartsWith("///", StringComparison.Ordinal) ? path[2..] : path);
            handler.ConnectCallback = (_, cancellationToken) => ConnectAsync(endPoint, cancellationToken);
            uri = new Uri("http://localhost");
        }
        else if (!Uri.TryCreate(address, UriKind.Absolute, out uri)
            || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps)
            || uri.PathAndQuery != "/")
        {
            throw new ArgumentException($"'{address}' is none of http://host:port, https://host:port, unix:/path.", nameof(address));
        }

        return new GrpcChannel(address, uri, new HttpMessageInvoker(handler), options);
    }

    /// <summary>Calls a method with one request and one response.</summary>
    /// <param name="method">The method.</param>
    /// <param name="request">The request; it must not change until the call ends.</param>
    /// <param name="options">Timeout and headers of this call.</param>
    /// <param name="cancellationToken">Cancels the call, on the server too.</param>
    /// <exception cref="RpcException">The call ended with a status other than OK.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    public async Task<TResponse> UnaryAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions options = default, CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(request);
        using ClientCall call = Open(method, MethodType.Unary, options, cancellationToken);
        await call.StartAsync(CreateContent(request));
        return await call.ReadSingleAsync(method.ResponseParser);
    }

    /// <summary>Calls a method with one request and many responses. The call starts with the enumeration and ends with it.</summary>
    /// <inheritdoc cref="UnaryAsync"/>
    public IAsyncEnumerable<TResponse> ServerStreamingAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions options = default, CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(request);
        method.Require(MethodType.ServerStreaming);
        return ReadAllAsync(method, _ => CreateContent(request), options, cancellationToken);
    }

    /// <summary>Calls a method with many requests and one response.</summary>
    /// <param name="method">The method.</param>
    /// <param name="requests">The requests; enumerated once, with a token that fires when the call ends.</param>
    /// <param name="options">Timeout and headers of this call.</param>
    /// <param name="cancellationToken">Cancels the call, on the server too.</param>
    /// <exception cref="RpcException">The call ended with a status other than OK.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    public async Task<TResponse> ClientStreamingAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method,
        IAsyncEnumerable<TRequest> requests,
        CallOptions options = default,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(requests);
        using ClientCall call = Open(method, MethodType.ClientStreaming, options, cancellationToken);
        await call.StartAsync(new StreamingContent<TRequest>(requests, Options.MaxSendMessageSize, call));
        return await call.ReadSingleAsync(method.ResponseParser);
    }

    /// <summary>
    /// Calls a method with many requests and many responses, independent of each other. The call starts with the enumeration
    /// and ends with it, also if requests are left.
    /// </summary>
    /// <inheritdoc cref="ClientStreamingAsync"/>
    public IAsyncEnumerable<TResponse> DuplexStreamingAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method,
        IAsyncEnumerable<TRequest> requests,
        CallOptions options = default,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(requests);
        method.Require(MethodType.DuplexStreaming);
        return ReadAllAsync(
            method,
            call => new StreamingContent<TRequest>(requests, Options.MaxSendMessageSize, call),
            options,
            cancellationToken);
    }

    /// <summary>Closes the connections; calls under way end with Cancelled.</summary>
    public void Dispose()
    {
        if (!_closed.IsCancellationRequested)
        {
            _closed.Cancel();
            Invoker.Dispose();
            _closed.Dispose();
        }
    }

    internal Uri GetUri(string method) => _uris.GetOrAdd(method, static (path, uri) => new Uri(uri, path), _base);

    private static async ValueTask<Stream> ConnectAsync(UnixDomainSocketEndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(endPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async IAsyncEnumerable<TResponse> ReadAllAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method,
        Func<ClientCall, HttpContent> createContent,
        CallOptions options,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using ClientCall call = Open(method, method.Type, options, cancellationToken);
        await call.StartAsync(createContent(call));
        while (await call.ReadAsync(method.ResponseParser) is { } response)
        {
            yield return response;
        }
    }

    private UnaryContent CreateContent(IMessage request) =>
        new(request, MessageFraming.MeasureToSend(request, Options.MaxSendMessageSize));

    private ClientCall Open<TRequest, TResponse>(
        Method<TRequest, TResponse> method, MethodType type, in CallOptions options, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(method);
        method.Require(type);
        ObjectDisposedException.ThrowIf(Closed.IsCancellationRequested, this);
        cancellationToken.ThrowIfCancellationRequested();
        if (options.Timeout <= TimeSpan.Zero)
        {
            throw new RpcException(StatusCode.DeadlineExceeded, $"{method.FullName} had no time left before it began.");
        }

        return new ClientCall(this, method.FullName, options, cancellationToken);
    }
}
