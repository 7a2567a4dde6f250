using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

using Google.Protobuf;

using Kip.Grpc.Wire;

using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;

namespace Kip.Grpc.Server;

/// <summary>One call as a server sees it: reads requests, writes responses and always answers with a status.</summary>
internal sealed class ServerCall : IDisposable
{
    private const int FlushSize = 32 * 1024;

    private readonly HttpContext _http;
    private readonly GrpcServerOptions _options;
    private readonly CancellationTokenSource? _deadline;
    private readonly CancellationTokenRegistration _onAbort;

    private ServerCall(HttpContext http, GrpcServerOptions options, TimeSpan? timeout)
    {
        _http = http;
        _options = options;
        CancellationToken aborted = http.RequestAborted;
        if (timeout is { } limit)
        {
            _deadline = new CancellationTokenSource(TimeoutHeader.ClampToTimer(limit), options.TimeProvider);
            _onAbort = aborted.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _deadline);
            DateTimeOffset now = options.TimeProvider.GetUtcNow();
            DateTimeOffset at = limit < DateTimeOffset.MaxValue - now ? now + limit : DateTimeOffset.MaxValue;
            Context = new ServerCallContext(http, at, _deadline.Token);
        }
        else
        {
            Context = new ServerCallContext(http, null, aborted);
        }
    }

    public ServerCallContext Context { get; }

    private CancellationToken Token => Context.CancellationToken;

    private bool Aborted => _http.RequestAborted.IsCancellationRequested;

    private bool DeadlinePassed => _deadline is { IsCancellationRequested: true } && !Aborted;

    /// <summary>Runs a call from its HTTP request to its status.</summary>
    public static async Task RunAsync(HttpContext http, GrpcServerOptions options, ILogger logger, Func<ServerCall, Task> serve)
    {
        if (!AcceptRequest(http))
        {
            return;
        }

        TimeSpan? timeout = null;
        if (http.Request.Headers.TryGetValue(Names.Timeout, out var header))
        {
            if (!TimeoutHeader.TryParse(header.ToString(), out TimeSpan parsed))
            {
                WriteTrailersOnly(http, new Status(StatusCode.Internal, $"Malformed {Names.Timeout}: '{header}'."));
                return;
            }

            timeout = parsed;
        }

        using var call = new ServerCall(http, options, timeout);
        Status status;
        try
        {
            await serve(call);
            status = call.DeadlinePassed ? LateStatus : new Status(StatusCode.OK, "");
        }
        catch (Exception e)
        {
            // Whatever a handler throws must become a status: nobody else would answer the caller.
            status = call.Explain(e, logger);
        }

        if (!call.Aborted)
        {
            call.WriteStatus(status);
        }
    }

    /// <summary>Answers a call that has no handler.</summary>
    public static Task RejectAsync(HttpContext http)
    {
        if (Names.IsGrpc(http.Request.ContentType))
        {
            WriteTrailersOnly(http, new Status(StatusCode.Unimplemented, $"{http.Request.Path} is not implemented."));
        }
        else
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
        }

        return Task.CompletedTask;
    }

    public async Task<T> ReadSingleAsync<T>(MessageParser<T> parser)
        where T : class, IMessage<T> =>
        await MessageFraming.ReadSingleAsync(_http.Request.BodyReader, parser, _options.MaxReceiveMessageSize, Token)
        ?? throw new RpcException(StatusCode.Internal, $"{Context.Method} was called without a request message.");

    public async IAsyncEnumerable<T> ReadAllAsync<T>(
        MessageParser<T> parser, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where T : class, IMessage<T>
    {
        using CancellationTokenSource? linked = cancellationToken.CanBeCanceled && cancellationToken != Token
            ? CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Token)
            : null;
        CancellationToken token = linked?.Token ?? Token;
        while (await MessageFraming.ReadAsync(_http.Request.BodyReader, parser, _options.MaxReceiveMessageSize, token) is { } message)
        {
            yield return message;
        }
    }

    /// <summary>Writes the only response; it goes out together with the status.</summary>
    public void WriteSingle(IMessage message)
    {
        if (!DeadlinePassed)
        {
            Context.ApplyHeaders();
            MessageFraming.Write(_http.Response.BodyWriter, message, _options.MaxSendMessageSize);
        }
    }

    public async Task WriteAllAsync<T>(IAsyncEnumerable<T> messages)
        where T : class, IMessage<T>
    {
        await using IAsyncEnumerator<T> enumerator = messages.GetAsyncEnumerator(Token);
        PipeWriter writer = _http.Response.BodyWriter;
        bool more = await enumerator.MoveNextAsync();
        while (more)
        {
            Context.ApplyHeaders(); // here, because the handler has run up to its first message by now
            MessageFraming.Write(writer, enumerator.Current, _options.MaxSendMessageSize);
            ValueTask<bool> next = enumerator.MoveNextAsync();
            // What is there already goes out together. A failure is told after all messages before it.
            more = next.IsCompletedSuccessfully && writer.UnflushedBytes < FlushSize ? await next : await FlushBesideAsync(writer, next);
        }
    }

    /// <summary>Sends what was written while the handler looks for the next message.</summary>
    private async ValueTask<bool> FlushBesideAsync(PipeWriter writer, ValueTask<bool> next)
    {
        Task<bool> pending = next.AsTask();
        try
        {
            await writer.FlushAsync(Token);
        }
        catch
        {
            // An enumerator must not be disposed of while it works; it ends with the call.
            await ((Task)pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        return await pending;
    }

    public void Dispose()
    {
        _onAbort.Dispose();
        _deadline?.Dispose();
    }

    private static Status LateStatus => new(StatusCode.DeadlineExceeded, "The deadline passed before the call finished.");

    private static bool AcceptRequest(HttpContext http)
    {
        if (!HttpProtocol.IsHttp2(http.Request.Protocol) && !HttpProtocol.IsHttp3(http.Request.Protocol))
        {
            http.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            http.Response.Headers.Upgrade = HttpProtocol.Http2;
            return false;
        }

        if (!Names.IsGrpc(http.Request.ContentType))
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return false;
        }

        // A stream may be silent for hours and carry any number of bytes.
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        http.Response.ContentType = Names.ContentType;
        return true;
    }

    private static void WriteTrailersOnly(HttpContext http, Status status)
    {
        http.Response.ContentType = Names.ContentType;
        PutStatus(http.Response.Headers, status);
    }

    private static void PutStatus(IHeaderDictionary headers, Status status)
    {
        headers[Names.Status] = ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture);
        if (status.Detail.Length > 0)
        {
            headers[Names.Message] = PercentEncoding.Encode(status.Detail);
        }
    }

    private Status Explain(Exception e, ILogger logger)
    {
        Status status;
        if (DeadlinePassed)
        {
            status = LateStatus;
        }
        else if (Aborted)
        {
            status = new Status(StatusCode.Cancelled, "The caller cancelled the call or was lost.");
        }
        else if (e is RpcException rpc)
        {
            status = rpc.Status;
            foreach (MetadataEntry entry in rpc.Trailers)
            {
                Context.ResponseTrailers.AddReceived(entry);
            }
        }
        else if (e is OperationCanceledException)
        {
            status = new Status(StatusCode.Cancelled, "The server cancelled the call.");
        }
        else
        {
            ServerLog.HandlerFailed(logger, Context.Method, e);
            return new Status(StatusCode.Unknown, "Exception was thrown by handler.");
        }

        ServerLog.CallFailed(logger, Context.Method, status.StatusCode, status.Detail, e);
        return status;
    }

    private void WriteStatus(Status status)
    {
        // A failure before anything was said needs one block of headers only.
        bool trailersOnly = status.StatusCode != StatusCode.OK && !_http.Response.HasStarted && !Context.HasResponseHeaders;
        IHeaderDictionary headers = trailersOnly
            ? _http.Response.Headers
            : _http.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers;
        Context.ApplyHeaders();
        PutStatus(headers, status);
        Context.ApplyTrailers(headers);
    }
}
