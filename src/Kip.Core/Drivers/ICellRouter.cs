namespace Kip.Drivers;

/// <summary>
/// Optional capability of an <see cref="ICellDriver"/>: makes the cloud's network send ranges of addresses that are not its own to a cell, for
/// pods that are routers (annotation <c>cloud-route</c>). Implement it on the driver's class. Both operations are safe to call again, also
/// from another process.
/// </summary>
public interface ICellRouter
{
    /// <summary>
    /// Routes the ranges to a running instance of this controller, and lets it take and send what is not addressed to itself. A route to
    /// another cell of this controller, or to an instance that has ended, is taken over: who was routed to last has the range.
    /// </summary>
    /// <param name="instanceId">The instance.</param>
    /// <param name="ranges">Ranges of addresses such as <c>10.9.0.0/16</c>.</param>
    /// <param name="cancellationToken">Ends the call. Some of the ranges may be routed all the same.</param>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.NotFound"/> when there is no such instance (any more);
    /// <see cref="DriverErrorKind.InvalidConfiguration"/> when a range leads to something that is not a cell's, which is left alone.</exception>
    Task RouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken);

    /// <summary>Takes away the routes of these ranges that lead to the instance. Those that another cell has taken over stay.</summary>
    /// <param name="instanceId">The instance, which may have ended.</param>
    /// <param name="ranges">The ranges.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="DriverException">Some are there still, or nobody knows; repeating the call is safe.</exception>
    Task UnrouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken);
}
