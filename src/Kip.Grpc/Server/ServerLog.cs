using Microsoft.Extensions.Logging;

namespace Kip.Grpc.Server;

internal static partial class ServerLog
{
    [LoggerMessage(1, LogLevel.Error, "The handler of {Method} threw an exception.")]
    public static partial void HandlerFailed(ILogger logger, string method, Exception exception);

    [LoggerMessage(2, LogLevel.Debug, "{Method} ended with {StatusCode}: {Detail}")]
    public static partial void CallFailed(ILogger logger, string method, StatusCode statusCode, string detail, Exception exception);
}
