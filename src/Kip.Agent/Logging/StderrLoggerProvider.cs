using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Logging;

/// <summary>One line on standard error for each entry: time, level, category, message, and the exception in short.</summary>
internal sealed class StderrLoggerProvider(TimeProvider time, TextWriter output) : ILoggerProvider
{
    private readonly Lock _lock = new();

    public ILogger CreateLogger(string categoryName) => new StderrLogger(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    public void Dispose()
    {
    }

    private void Write(LogLevel level, string category, string message, Exception? exception)
    {
        var name = level switch
        {
            LogLevel.Trace => "TRC",
            LogLevel.Debug => "DBG",
            LogLevel.Information => "INF",
            LogLevel.Warning => "WRN",
            LogLevel.Error => "ERR",
            _ => "CRT",
        };
        var now = time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var tail = exception is null ? "" : $": {exception.GetType().Name}: {exception.Message}";
        var line = $"{now} {name} {category}: {message}{tail}".ReplaceLineEndings(" ");
        lock (_lock)
        {
            output.WriteLine(line);
            // A stack is worth several lines only where nobody foresaw the exception.
            if (level >= LogLevel.Error && exception?.StackTrace is { } stack)
            {
                output.WriteLine(stack);
            }

            output.Flush();
        }
    }

    private sealed class StderrLogger(StderrLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Information and not LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                provider.Write(logLevel, category, formatter(state, exception), exception);
            }
        }
    }
}
