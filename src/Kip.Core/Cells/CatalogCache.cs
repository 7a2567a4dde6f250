using Kip.Drivers;
using Kip.Sizing;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>The cloud's catalog. One that has grown old serves until there is a newer one: no pod waits for prices.</summary>
/// <param name="driver">Reads it.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told when there is no newer one.</param>
/// <param name="lifetime">Ends reading.</param>
internal sealed partial class CatalogCache(ICellDriver driver, TimeProvider time, ILogger logger, CancellationToken lifetime)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    private readonly ILogger _logger = logger;
    private readonly Lock _lock = new();
    private Task<InstanceCatalog>? _catalog;
    private DateTimeOffset _read;

    /// <exception cref="DriverException">There is none yet, and it cannot be read; the next call tries again.</exception>
    public Task<InstanceCatalog> GetAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            if (_catalog is null or { IsFaulted: true } or { IsCanceled: true })
            {
                (_catalog, _read) = (ReadAsync(), now);
            }
            else if (_catalog.IsCompletedSuccessfully && now - _read > Lifetime)
            {
                _read = now;
                _ = RefreshAsync(); // it tells of its own failure
            }

            return _catalog.WaitAsync(cancellationToken);
        }
    }

    private async Task<InstanceCatalog> ReadAsync()
    {
        await Task.Yield();
        return await driver.GetCatalogAsync(lifetime).ConfigureAwait(false);
    }

    private async Task RefreshAsync()
    {
        try
        {
            var fresh = await ReadAsync().ConfigureAwait(false);
            lock (_lock)
            {
                _catalog = Task.FromResult(fresh);
            }
        }
        catch (Exception e)
        {
            LogOld(Lifetime, e.Message); // whatever it was, the old one does for as long again
        }
    }

    [LoggerMessage(43, LogLevel.Warning, "The catalog is older than {Age} and a newer one cannot be read: {Problem}")]
    private partial void LogOld(TimeSpan age, string problem);
}
