using Google.Protobuf;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Kip.Grpc.Server;

/// <summary>
/// Maps gRPC methods to handlers. A handler answers with its result or throws an <see cref="RpcException"/>; any other
/// exception is logged and answered with Unknown, its text kept on the server.
/// </summary>
public static class GrpcEndpointRouteBuilderExtensions
{
    /// <summary>Maps a method with one request and one response.</summary>
    /// <exception cref="ArgumentException">The method is of another type.</exception>
    public static IEndpointConventionBuilder MapGrpcUnary<TRequest, TResponse>(
        this IEndpointRouteBuilder endpoints,
        Method<TRequest, TResponse> method,
        Func<TRequest, ServerCallContext, Task<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Map(endpoints, method, MethodType.Unary, async call =>
        {
            TRequest request = await call.ReadSingleAsync(method.RequestParser);
            call.WriteSingle(await handler(request, call.Context));
        });
    }

    /// <summary>Maps a method with one request and many responses.</summary>
    /// <inheritdoc cref="MapGrpcUnary"/>
    public static IEndpointConventionBuilder MapGrpcServerStreaming<TRequest, TResponse>(
        this IEndpointRouteBuilder endpoints,
        Method<TRequest, TResponse> method,
        Func<TRequest, ServerCallContext, IAsyncEnumerable<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Map(endpoints, method, MethodType.ServerStreaming, async call =>
        {
            TRequest request = await call.ReadSingleAsync(method.RequestParser);
            await call.WriteAllAsync(handler(request, call.Context));
        });
    }

    /// <summary>Maps a method with many requests and one response.</summary>
    /// <inheritdoc cref="MapGrpcUnary"/>
    public static IEndpointConventionBuilder MapGrpcClientStreaming<TRequest, TResponse>(
        this IEndpointRouteBuilder endpoints,
        Method<TRequest, TResponse> method,
        Func<IAsyncEnumerable<TRequest>, ServerCallContext, Task<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Map(endpoints, method, MethodType.ClientStreaming, async call =>
            call.WriteSingle(await handler(call.ReadAllAsync(method.RequestParser), call.Context)));
    }

    /// <summary>Maps a method with many requests and many responses, independent of each other.</summary>
    /// <inheritdoc cref="MapGrpcUnary"/>
    public static IEndpointConventionBuilder MapGrpcDuplexStreaming<TRequest, TResponse>(
        this IEndpointRouteBuilder endpoints,
        Method<TRequest, TResponse> method,
        Func<IAsyncEnumerable<TRequest>, ServerCallContext, IAsyncEnumerable<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Map(endpoints, method, MethodType.DuplexStreaming, call =>
            call.WriteAllAsync(handler(call.ReadAllAsync(method.RequestParser), call.Context)));
    }

    /// <summary>
    /// Answers gRPC calls to methods that are not mapped with Unimplemented, and every other request that nothing matches
    /// with HTTP status 404.
    /// </summary>
    public static IEndpointConventionBuilder MapGrpcUnimplemented(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return endpoints.MapFallback("{**path}", ServerCall.RejectAsync);
    }

    private static IEndpointConventionBuilder Map<TRequest, TResponse>(
        IEndpointRouteBuilder endpoints, Method<TRequest, TResponse> method, MethodType type, Func<ServerCall, Task> serve)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(method);
        method.Require(type);
        GrpcServerOptions options = endpoints.ServiceProvider.GetService<GrpcServerOptions>() ?? new GrpcServerOptions();
        ILogger logger = endpoints.ServiceProvider.GetRequiredService<ILoggerFactory>().CreateLogger("Kip.Grpc.Server");
        RequestDelegate run = http => ServerCall.RunAsync(http, options, logger, serve);
        return endpoints.MapPost(method.FullName, run).WithDisplayName($"gRPC {method.FullName}");
    }
}
