using Kip.Drivers;

namespace Kip.Testing;

/// <summary>What a driver of the simulated cloud calls.</summary>
public enum CloudAction
{
    /// <summary><see cref="ICellDriver.GetCatalogAsync"/>.</summary>
    GetCatalog = 0,

    /// <summary><see cref="ICellDriver.ResolveImageAsync"/>.</summary>
    ResolveImage,

    /// <summary><see cref="ICellDriver.LaunchAsync"/>.</summary>
    Launch,

    /// <summary><see cref="ICellDriver.ListAsync"/>.</summary>
    List,

    /// <summary><see cref="ICellDriver.TerminateAsync"/>.</summary>
    Terminate,

    /// <summary><see cref="IVolumeAttacher.AttachAsync"/>.</summary>
    Attach,

    /// <summary><see cref="IVolumeAttacher.DetachAsync"/>.</summary>
    Detach,

    /// <summary><see cref="ICellRouter.RouteAsync"/>.</summary>
    Route,

    /// <summary><see cref="ICellRouter.UnrouteAsync"/>.</summary>
    Unroute,
}

/// <summary>One call in <see cref="SimulatedCloud.Calls"/>.</summary>
/// <param name="Action">What was called.</param>
/// <param name="ControllerId">By whose driver.</param>
/// <param name="Time">When the call was made.</param>
/// <param name="Request">The launch, or null with other actions.</param>
/// <param name="InstanceIds">The instances to terminate, or the one that a volume or routes are for; after the end of a launch the instance it returned; otherwise empty.</param>
public sealed record CloudCall(
    CloudAction Action, string ControllerId, DateTimeOffset Time, LaunchRequest? Request, IReadOnlyList<string> InstanceIds)
{
    /// <summary><c>ok</c>, the <see cref="DriverErrorKind"/> of the failure, <c>Canceled</c>, or null while the call is under way.</summary>
    public string? Outcome { get; init; }

    /// <summary>The volume to attach or detach; null with other actions.</summary>
    public string? VolumeId { get; init; }
}

/// <summary>What goes wrong with a call.</summary>
/// <remarks>
/// With <paramref name="AfterEffect"/> the cloud does what it is asked and only the answer is wrong: the caller cannot know.
/// A launch may fail in this way only with <see cref="DriverErrorKind.Transient"/>, as the SPI says.
/// </remarks>
/// <param name="Kind">How the call fails, or null for a call that is never answered.</param>
/// <param name="AfterEffect">Whether it takes effect all the same.</param>
public sealed record CloudFault(DriverErrorKind? Kind, bool AfterEffect = false)
{
    /// <summary>The call is never answered; it ends with its cancellation.</summary>
    public static CloudFault Hang { get; } = new((DriverErrorKind?)null);

    /// <summary>The answer is lost: the call fails as transient after it has taken effect.</summary>
    public static CloudFault LostAnswer { get; } = new(DriverErrorKind.Transient, AfterEffect: true);
}
