using Google.Protobuf;

namespace Kip.Grpc;

/// <summary>How many messages go each way.</summary>
public enum MethodType
{
    /// <summary>One request, one response.</summary>
    Unary,

    /// <summary>One request, many responses.</summary>
    ServerStreaming,

    /// <summary>Many requests, one response.</summary>
    ClientStreaming,

    /// <summary>Many requests, many responses, independent of each other.</summary>
    DuplexStreaming,
}

/// <summary>What client and server must agree on about one method.</summary>
/// <typeparam name="TRequest">The request message.</typeparam>
/// <typeparam name="TResponse">The response message.</typeparam>
public sealed class Method<TRequest, TResponse>
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    internal Method(
        MethodType type, string service, string name, MessageParser<TRequest> requestParser, MessageParser<TResponse> responseParser)
    {
        ArgumentException.ThrowIfNullOrEmpty(service);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(requestParser);
        ArgumentNullException.ThrowIfNull(responseParser);
        Type = type;
        FullName = $"/{service}/{name}";
        RequestParser = requestParser;
        ResponseParser = responseParser;
    }

    /// <summary>How many messages go each way.</summary>
    public MethodType Type { get; }

    /// <summary>The path on the wire: <c>/package.Service/Method</c>.</summary>
    public string FullName { get; }

    internal MessageParser<TRequest> RequestParser { get; }

    internal MessageParser<TResponse> ResponseParser { get; }

    /// <summary><see cref="FullName"/>.</summary>
    public override string ToString() => FullName;

    internal void Require(MethodType type)
    {
        if (Type != type)
        {
            throw new ArgumentException($"{FullName} is a {Type} method, not {type}.");
        }
    }
}

/// <summary>Describes methods.</summary>
public static class Method
{
    /// <summary>One request, one response.</summary>
    /// <param name="service">The service with its package, as in the <c>.proto</c>: <c>kip.agent.v1.CellAgent</c>.</param>
    /// <param name="name">The method as in the <c>.proto</c>.</param>
    /// <param name="requestParser">Reads requests on the server.</param>
    /// <param name="responseParser">Reads responses on the client.</param>
    public static Method<TRequest, TResponse> Unary<TRequest, TResponse>(
        string service, string name, MessageParser<TRequest> requestParser, MessageParser<TResponse> responseParser)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new(MethodType.Unary, service, name, requestParser, responseParser);

    /// <summary>One request, many responses.</summary>
    /// <inheritdoc cref="Unary{TRequest, TResponse}"/>
    public static Method<TRequest, TResponse> ServerStreaming<TRequest, TResponse>(
        string service, string name, MessageParser<TRequest> requestParser, MessageParser<TResponse> responseParser)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new(MethodType.ServerStreaming, service, name, requestParser, responseParser);

    /// <summary>Many requests, one response.</summary>
    /// <inheritdoc cref="Unary{TRequest, TResponse}"/>
    public static Method<TRequest, TResponse> ClientStreaming<TRequest, TResponse>(
        string service, string name, MessageParser<TRequest> requestParser, MessageParser<TResponse> responseParser)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new(MethodType.ClientStreaming, service, name, requestParser, responseParser);

    /// <summary>Many requests, many responses.</summary>
    /// <inheritdoc cref="Unary{TRequest, TResponse}"/>
    public static Method<TRequest, TResponse> DuplexStreaming<TRequest, TResponse>(
        string service, string name, MessageParser<TRequest> requestParser, MessageParser<TResponse> responseParser)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new(MethodType.DuplexStreaming, service, name, requestParser, responseParser);
}
