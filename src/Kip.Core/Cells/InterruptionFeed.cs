using Kip.Drivers;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>Passes on to cells what the cloud tells of their instances.</summary>
/// <param name="source">The cloud.</param>
/// <param name="find">Who attends the cell of an instance, if anybody does.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets failures.</param>
internal sealed partial class InterruptionFeed(IInterruptionSource source, Func<string, CellReconciler?> find, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    // One cell whose agent does not answer must not keep the others from hearing.
    private static readonly TimeSpan HearingLimit = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = logger;

    /// <summary>Listens until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        string? told = null;
        while (true)
        {
            try
            {
                await source.WatchInterruptionsAsync(HearAsync, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                if (told != e.Message)
                {
                    LogFailed(e.Message); // whatever a driver or a store throws; agents tell the same, and what was not heard is told again
                    told = e.Message;
                }
            }

            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<bool> HearAsync(InterruptionNotice notice, CancellationToken cancellationToken)
    {
        if (find(notice.InstanceId) is not { } cell)
        {
            return false;
        }

        using var limit = new CancellationTokenSource(HearingLimit, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        await cell.HearAsync(notice, bounded.Token).ConfigureAwait(false);
        return true;
    }

    [LoggerMessage(80, LogLevel.Warning, "What the cloud tells of spot instances is not heard: {Problem}; agents still hear of it")]
    private partial void LogFailed(string problem);
}
