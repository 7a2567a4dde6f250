namespace Kip.Drivers;

/// <summary>
/// Beside <see cref="ICellDriver"/>, optional: a cloud that tells the controller itself which instances it is about to take back. Agents hear
/// of the same from their metadata service; what the cloud tells reaches the core also when an agent does not.
/// </summary>
public interface IInterruptionSource
{
    /// <summary>
    /// What the cloud tells of instances, as it comes, until it is cancelled. A notice counts as heard when the next one is asked for: one
    /// that nobody has heard to the end is given to the next process. Notices may come twice, late, in any order, and about instances that
    /// are not this controller's.
    /// </summary>
    /// <exception cref="DriverException">The cloud cannot be asked; the caller tries again later.</exception>
    IAsyncEnumerable<InterruptionNotice> WatchInterruptionsAsync(CancellationToken cancellationToken);
}

/// <summary>The cloud takes an instance back, or may do so soon.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Deadline">When it ends; null when the cloud only advises to move away from it.</param>
/// <param name="Message">A sentence for the pod's owner.</param>
public sealed record InterruptionNotice(string InstanceId, DateTimeOffset? Deadline, string Message);
