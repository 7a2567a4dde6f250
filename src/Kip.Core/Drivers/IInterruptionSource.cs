namespace Kip.Drivers;

/// <summary>
/// Beside <see cref="ICellDriver"/>, optional: a cloud that tells the controller itself which instances it is about to take back. Agents hear
/// of the same from their metadata service; what the cloud tells reaches the core also when an agent does not.
/// </summary>
public interface IInterruptionSource
{
    /// <summary>
    /// Tells what the cloud says of instances, as it comes, until it is cancelled. Notices may come twice, late, in any order, and about
    /// instances that are not this controller's.
    /// </summary>
    /// <param name="hear">
    /// Told one notice after the other. Returns whether the instance is known; then the notice is done with. Otherwise, or when it fails, the
    /// notice is kept for another process for as long as the cloud keeps it.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DriverException">The cloud cannot be asked; the caller tries again later.</exception>
    Task WatchInterruptionsAsync(Func<InterruptionNotice, CancellationToken, Task<bool>> hear, CancellationToken cancellationToken);
}

/// <summary>The cloud takes an instance back, or may do so soon.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Deadline">When it ends; null when the cloud only advises to move away from it.</param>
/// <param name="Message">A sentence for the pod's owner.</param>
public sealed record InterruptionNotice(string InstanceId, DateTimeOffset? Deadline, string Message);
