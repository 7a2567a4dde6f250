using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;

using Google.Protobuf;

using Kip.Grpc.Wire;

namespace Kip.Grpc.Client;

/// <summary>
/// One call on the wire: it ends when the response ends, the caller cancels, the timeout passes or the channel is
/// disposed, and turns whatever happens into one exception that says why.
/// </summary>
internal sealed class ClientCall : IDisposable
{
    private const int ReadBufferSize = 64 * 1024;

    private readonly GrpcChannel _channel;
    private readonly string _method;
    private readonly CallOptions _options;
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource _end;
    private readonly CancellationTokenRegistration _onCaller;
    private readonly CancellationTokenRegistration _onChannel;
    private HttpRequestMessage? _request;
    private HttpResponseMessage? _response;
    private PipeReader? _body;
    private Exception? _requestFailure;

    public ClientCall(GrpcChannel channel, string method, in CallOptions options, CancellationToken caller)
    {
        _channel = channel;
        _method = method;
        _options = options;
        _caller = caller;
        TimeSpan timeout = options.Timeout is { } t ? TimeoutHeader.ClampToTimer(t) : Timeout.InfiniteTimeSpan;
        _end = new CancellationTokenSource(timeout, channel.Options.TimeProvider);
        _onCaller = caller.UnsafeRegister(static end => ((CancellationTokenSource)end!).Cancel(), _end);
        _onChannel = channel.Closed.UnsafeRegister(static end => ((CancellationTokenSource)end!).Cancel(), _end);
    }

    /// <summary>Fires when the call is over for whatever reason.</summary>
    public CancellationToken Token => _end.Token;

    /// <summary>Sends the request's headers and starts its body; returns when the response's headers are there.</summary>
    public async Task StartAsync(HttpContent content)
    {
        _request = CreateRequest(content);
        try
        {
            _response = await _channel.Invoker.SendAsync(_request, _end.Token);
            CheckHeaders(_response);
            Stream stream = await _response.Content.ReadAsStreamAsync(_end.Token);
            _body = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: ReadBufferSize, useZeroByteReads: true));
        }
        catch (Exception e) when (Explain(e) is { } explained)
        {
            ExceptionDispatchInfo.Throw(explained); // keeps the stack of an exception that the requests threw
            throw;
        }
    }

    /// <summary>The next response message; null when the call has ended well.</summary>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        try
        {
            T? message = await MessageFraming.ReadAsync(_body!, parser, _channel.Options.MaxReceiveMessageSize, _end.Token);
            if (message is null)
            {
                CheckTrailers();
            }

            return message;
        }
        catch (Exception e) when (Explain(e) is { } explained)
        {
            ExceptionDispatchInfo.Throw(explained); // keeps the stack of an exception that the requests threw
            throw;
        }
    }

    /// <summary>The only response message, once the call has ended well.</summary>
    public async Task<T> ReadSingleAsync<T>(MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        try
        {
            T? message = await MessageFraming.ReadSingleAsync(_body!, parser, _channel.Options.MaxReceiveMessageSize, _end.Token);
            CheckTrailers();
            return message ?? throw new RpcException(StatusCode.Internal, $"{_method} answered OK without a message.");
        }
        catch (Exception e) when (Explain(e) is { } explained)
        {
            ExceptionDispatchInfo.Throw(explained); // keeps the stack of an exception that the requests threw
            throw;
        }
    }

    /// <summary>Ends the call because its requests cannot be sent; the caller gets this very exception.</summary>
    public void FailRequest(Exception failure)
    {
        _requestFailure = failure;
        _end.Cancel();
    }

    public void Dispose()
    {
        // First the registrations, which wait for callbacks that are running: none may touch a disposed source.
        _onCaller.Dispose();
        _onChannel.Dispose();
        _body?.Complete(); // gives its buffers back to their pool
        _response?.Dispose(); // resets the stream unless it has ended
        if (_request?.Content is not UnaryContent)
        {
            _end.Cancel(); // stops a request sequence that outlives the response
        }

        _request?.Dispose();
        _end.Dispose();
    }

    private HttpRequestMessage CreateRequest(HttpContent content)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, _channel.GetUri(_method))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        content.Headers.TryAddWithoutValidation("Content-Type", Names.ContentType);
        HttpRequestHeaders headers = request.Headers;
        headers.TryAddWithoutValidation("TE", "trailers");
        headers.TryAddWithoutValidation("User-Agent", GrpcChannel.UserAgent);
        if (_options.Timeout is { } timeout)
        {
            headers.TryAddWithoutValidation(Names.Timeout, TimeoutHeader.Format(timeout));
        }

        if (_options.Headers is { } metadata)
        {
            foreach (MetadataEntry entry in metadata)
            {
                headers.TryAddWithoutValidation(entry.Key, MetadataWire.Encode(entry));
            }
        }

        return request;
    }

    private void CheckHeaders(HttpResponseMessage response)
    {
        // A response that is only trailers arrives as headers; it is final, whatever the HTTP status says.
        if (response.Headers.NonValidated.TryGetValues(Names.Status, out _))
        {
            ThrowUnlessOK(response.Headers);
            return;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new RpcException(
                HttpFailures.FromStatus(response.StatusCode),
                $"{_channel.Address} answered {_method} with HTTP status {(int)response.StatusCode} and no gRPC status.");
        }

        string? contentType = response.Content.Headers.NonValidated.TryGetValues("Content-Type", out HeaderStringValues values)
            ? values.ToString()
            : null;
        if (!Names.IsGrpc(contentType))
        {
            throw new RpcException(
                StatusCode.Unknown,
                $"{_channel.Address} answered {_method} with content type '{contentType}' instead of {Names.ContentType}: it is no gRPC server.");
        }

        _options.OnResponseHeaders?.Invoke(MetadataWire.Decode(response.Headers));
    }

    private void CheckTrailers()
    {
        HttpResponseMessage response = _response!;
        bool trailersOnly = response.Headers.NonValidated.TryGetValues(Names.Status, out _);
        HttpHeaders trailers = trailersOnly ? response.Headers : response.TrailingHeaders;
        ThrowUnlessOK(trailers);
        _options.OnResponseTrailers?.Invoke(MetadataWire.Decode(trailers));
    }

    private void ThrowUnlessOK(HttpHeaders trailers)
    {
        if (!trailers.NonValidated.TryGetValues(Names.Status, out HeaderStringValues status))
        {
            throw new RpcException(StatusCode.Internal, $"{_channel.Address} ended {_method} without a status.");
        }

        string text = status.ToString();
        if (text == "0")
        {
            return;
        }

        // A code that is newer than this program is Unknown, as the protocol asks.
        StatusCode code = int.TryParse(text, out int number) && number is > 0 and <= (int)StatusCode.Unauthenticated
            ? (StatusCode)number
            : StatusCode.Unknown;
        string detail = trailers.NonValidated.TryGetValues(Names.Message, out HeaderStringValues message)
            ? PercentEncoding.Decode(message.ToString())
            : "";
        throw new RpcException(code, detail, MetadataWire.Decode(trailers));
    }

    /// <summary>The exception the caller is to see; null to let the original pass.</summary>
    private Exception? Explain(Exception e)
    {
        if (e is RpcException)
        {
            return null;
        }

        if (_requestFailure is { } failure)
        {
            return failure;
        }

        if (e is not (HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException or SocketException))
        {
            return null;
        }

        if (_caller.IsCancellationRequested)
        {
            return new OperationCanceledException($"{_method} was cancelled by its caller.", e, _caller);
        }

        if (_channel.Closed.IsCancellationRequested)
        {
            return new RpcException(StatusCode.Cancelled, $"The channel to {_channel.Address} was disposed during {_method}.", inner: e);
        }

        return _end.IsCancellationRequested
            ? new RpcException(
                StatusCode.DeadlineExceeded, $"{_method} to {_channel.Address} did not finish within {_options.Timeout}.", inner: e)
            : HttpFailures.FromException(e, _channel.Address);
    }
}
