using Microsoft.Extensions.Logging;

namespace Kip.Host.Terminal;

/// <summary>Log lines on stderr, one each: what is asked for and worse, or everything from information on with --verbose.</summary>
internal static class StandardErrorLogging
{
    public static ILoggerFactory Create(bool verbose, LogLevel least = LogLevel.Error) => LoggerFactory.Create(builder => builder
        .SetMinimumLevel(verbose ? LogLevel.Information : least)
        .AddFilter("Microsoft", LogLevel.Warning) // of which each request of the kubelet API would be several lines
        .AddProvider(new Provider()));

    private sealed class Provider : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Logger();

        public void Dispose()
        {
        }
    }

    private sealed class Logger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var detail = exception is null ? "" : $": {exception}";
            Console.Error.WriteLine($"kip: {logLevel.ToString().ToLowerInvariant()}: {formatter(state, exception)}{detail}");
        }
    }
}
