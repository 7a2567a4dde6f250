namespace Kip.Testing;

/// <summary>The documentation of ICellDriver and its records, rule by rule, as failures quote it.</summary>
internal static class Rules
{
    public const string Failures = "Failures are reported as DriverException with a DriverErrorKind (ICellDriver)";
    public const string DescriptionConstant = "Constant over the life of the object; must not call the cloud (ICellDriver.Description)";
    public const string Description = "Short lower-case name of the cloud; the region; the controller id the driver was made with (DriverDescription)";
    public const string Catalog = "The instance types that can be launched, each with the zones and prices it is offered at (ICellDriver.GetCatalogAsync)";
    public const string Price = "Dollars per hour, or null when the price is not known (Offering)";
    public const string ResolveImage = "Empty for the driver's default; NotFound when there is no such image (ICellDriver.ResolveImageAsync)";
    public const string LaunchPrompt = "Returns once the cloud has accepted, without waiting for it to boot (ICellDriver.LaunchAsync)";
    public const string LaunchOne = "Asks for one instance (ICellDriver.LaunchAsync)";
    public const string Token = "A call with a LaunchToken that was accepted before makes nothing new and returns the same instance, also from another process "
        + "and also when that instance has ended since (ICellDriver.LaunchAsync)";
    public const string LaunchFailed = "DriverException: nothing was launched, or (only with Transient) it is unknown (ICellDriver.LaunchAsync)";
    public const string Unsupported = "The type, zone or option is not to be had here: Unsupported or InvalidConfiguration, not to be repeated (DriverErrorKind)";
    public const string ListComplete = "Every instance that carries this controller's tag, whoever's record it is in (ICellDriver.ListAsync)";
    public const string ListOwn = "Every instance that carries this controller's tag, and no other (ICellDriver.ListAsync)";
    public const string ListEnded = "An instance that has ended is listed as Terminated for a while or not at all (ICellDriver.ListAsync)";
    public const string Tags = "Tags to set in the launch call itself on everything it makes (LaunchRequest.Tags)";
    public const string Instance = "Type, zone, capacity type, tags and launch time of the instance as it was asked for (Instance)";
    public const string Address = "Address the controller reaches the agent at; null until the cloud has given one (Instance.Address)";
    public const string Forward = "Where an instance is in its life. It only ever moves down this list (InstanceState)";
    public const string Terminate = "Asks for the end of instances and of all that was made with them (ICellDriver.TerminateAsync)";
    public const string TerminateUnknown = "Instances that are gone or unknown are no error (ICellDriver.TerminateAsync)";
    public const string TerminateForeign = "An instance without this controller's tag is never touched (ICellDriver.TerminateAsync)";
    public const string Identify = "Null when its source is not for this driver; must not call the cloud (IVolumeAttacher.Identify)";
    public const string Attach = "Attached to that instance already, nothing is done, and the answer is the same (IVolumeAttacher.AttachAsync)";
    public const string AttachMissing = "NotFound when the instance or the volume does not exist (any more) (IVolumeAttacher.AttachAsync)";
    public const string AttachBusy = "A volume that is attached to another instance is Transient (IVolumeAttacher)";
    public const string Detach = "Takes a volume off an instance and returns once it can be attached elsewhere (IVolumeAttacher.DetachAsync)";
    public const string DetachMissing = "Not attached to that instance, nothing is done; that the instance or the volume is gone is no error (IVolumeAttacher.DetachAsync)";
    public const string EndedHoldsNothing = "An instance that has ended holds no volume (IVolumeAttacher)";
    public const string Route = "Routes the ranges to a running instance of this controller (ICellRouter.RouteAsync)";
    public const string RouteAgain = "Both operations are safe to call again, also from another process (ICellRouter)";
    public const string RouteTakeOver = "A route to another cell of this controller, or to an instance that has ended, is taken over (ICellRouter.RouteAsync)";
    public const string RouteMissing = "NotFound when there is no such instance (any more) (ICellRouter.RouteAsync)";
    public const string Unroute = "Takes away the routes of these ranges that lead to the instance, which may have ended (ICellRouter.UnrouteAsync)";
    public const string UnrouteOwn = "Those that another cell has taken over stay (ICellRouter.UnrouteAsync)";
    public const string Cancellation = "The core bounds every call by a time-out through the cancellation token (ICellDriver)";
}
