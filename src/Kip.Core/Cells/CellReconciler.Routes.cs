using Kip.Agents;
using Kip.Drivers;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <content>
/// Routes of the cloud's network to the cell. The record knows the ranges, so they are routed again by each process that takes the cell up, and
/// taken away before the instance ends.
/// </content>
internal sealed partial class CellReconciler
{
    private bool _routed;

    /// <summary>Routes to the cell what its pod asks for, until it works, as long as an agent is connected. Ends the connection for what nobody expects.</summary>
    private async Task RouteAsync(CancellationTokenSource connection)
    {
        try
        {
            await RouteAsync(connection.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await connection.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task RouteAsync(CancellationToken cancellationToken)
    {
        if (_routed || Record is not { Options.Routes: { Count: > 0 } ranges, InstanceId: { } instance, State: < CellState.Draining })
        {
            return;
        }

        var named = string.Join(", ", ranges);
        if (_context.Driver.Router is not { } router)
        {
            _routed = true;
            Tell("Warning", "FailedRoute", $"{named}: the driver '{_context.Driver.Description.Name}' cannot route addresses to a cell");
            return;
        }

        await PersistAsync(
            ct => ChangeAsync(call => router.RouteAsync(instance, ranges, call), ct),
            (e, _) => Tell("Warning", "FailedRoute", $"{named}: {e.Message}; tried again until it works"),
            cancellationToken).ConfigureAwait(false);
        _routed = true;
        Tell("Normal", "SuccessfulRoute", $"{named}: routed to {instance}");

        void Tell(string type, string reason, string message) => _cell.Publish(CellUpdateKind.PodEvent, new AgentEvent(0, Now, type, reason, message, null));
    }

    /// <summary>Takes the routes away while the instance is there. One that stays leads nowhere, and the next cell with the range takes it over.</summary>
    private async Task UnrouteAsync(CancellationToken cancellationToken)
    {
        if (Record is not { Options.Routes: { Count: > 0 } ranges, InstanceId: { } instance } || _context.Driver.Router is not { } router)
        {
            return;
        }

        using var limit = new CancellationTokenSource(DetachPatience, _context.Time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var problem = "there was no answer";
        try
        {
            await PersistAsync(
                ct => ChangeAsync(call => router.UnrouteAsync(instance, ranges, call), ct),
                (e, _) => problem = e.Message,
                bounded.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            LogStillRouted(Record.Id, string.Join(", ", ranges), problem);
        }
    }

    [LoggerMessage(15, LogLevel.Warning, "{CellId}: the routes of {Ranges} to it are still there ({Problem}); the next cell with these ranges takes them over")]
    private partial void LogStillRouted(string cellId, string ranges, string problem);
}
