using Kip.Sizing;

namespace Kip.Drivers;

/// <summary>
/// A cloud, as far as Kip needs one. Implement this (and, where the cloud has more, the optional capabilities beside it), and prove it
/// with the conformance suite in Kip.Testing. Every operation is safe to call from many threads and safe to call again.
/// </summary>
/// <remarks>
/// Failures are reported as <see cref="DriverException"/> with a <see cref="DriverErrorKind"/>; anything else that escapes counts as
/// <see cref="DriverErrorKind.Transient"/>. The core bounds every call by a time-out through the cancellation token.
/// </remarks>
public interface ICellDriver
{
    /// <summary>What this driver drives. Constant over the life of the object; must not call the cloud.</summary>
    DriverDescription Description { get; }

    /// <summary>The instance types that can be launched, each with the zones and prices it is offered at.</summary>
    /// <exception cref="DriverException">The catalog could not be read.</exception>
    Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken);

    /// <summary>Turns the configured image reference into the identifier that <see cref="LaunchRequest.ImageId"/> takes.</summary>
    /// <param name="reference">A name, family, path or identifier in the cloud's own terms; empty for the driver's default.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.NotFound"/> when there is no such image.</exception>
    Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken);

    /// <summary>
    /// Asks for one instance and returns once the cloud has accepted, without waiting for it to boot. A call with a
    /// <see cref="LaunchRequest.LaunchToken"/> that was accepted before makes nothing new and returns the same instance, also from
    /// another process and also when that instance has ended since. Addresses that the cloud names at once are in the answer.
    /// </summary>
    /// <exception cref="DriverException">Nothing was launched, or (only with <see cref="DriverErrorKind.Transient"/>) it is unknown
    /// whether something was: the caller may repeat the call with the same token or look with <see cref="ListAsync"/>.</exception>
    Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// Every instance that carries this controller's tag, whoever's record it is in, and no other. Cheap enough to call every few
    /// seconds. An instance that has ended is listed as <see cref="InstanceState.Terminated"/> for a while or not at all. One whose tags the
    /// cloud does not show yet is not listed yet: <see cref="DriverDescription.ListDelay"/> says how long that may be.
    /// </summary>
    /// <exception cref="DriverException">The list is not complete; the caller must not conclude anything from absence.</exception>
    Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Asks for the end of instances and of all that was made with them. Returns once the cloud has accepted. Instances that are gone
    /// or unknown are no error; an instance without this controller's tag is never touched. Called with none when a process of this
    /// controller starts: a driver that can tell may then remove what is left of launches that were cut off.
    /// </summary>
    /// <exception cref="DriverException">At least one instance was not accepted for termination; repeating the call is safe.</exception>
    Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken);
}

/// <summary>What a driver drives.</summary>
/// <param name="Name">Short lower-case name of the cloud, for example <c>aws</c> or <c>local</c>.</param>
/// <param name="Region">The region that cells are launched in, as the cloud writes it.</param>
/// <param name="ControllerId">The value of the <see cref="InstanceTags.ControllerId"/> tag that everything made by this driver carries.</param>
public sealed record DriverDescription(string Name, string Region, string ControllerId)
{
    /// <summary>How often the core may call <see cref="ICellDriver.ListAsync"/> while it waits for something to change. Default 1 s.</summary>
    public TimeSpan ListInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long after a launch the instance may still be missing from the list. Zero where the list is always true. Default 30 s.</summary>
    public TimeSpan ListDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The metadata service, of EC2's kind, where spot instances learn that they are taken back; null where there is none. See
    /// <see cref="Agents.CellBootConfiguration.InterruptionNotices"/>.
    /// </summary>
    public Uri? InterruptionNotices { get; init; }

    /// <summary>Whether <see cref="LaunchOptions.DedicatedHost"/> can be asked for. Default false.</summary>
    public bool HasDedicatedHosts { get; init; }

    /// <summary>How fast the cloud takes calls; null where that is unknown, or fast enough for anything.</summary>
    public CallLimits? Limits { get; init; }
}
