using Kip.Drivers;
using Kip.Kubernetes.Objects;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>A volume is on one instance, comes off it, and is free when the instance has ended.</summary>
internal static class VolumeChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Identify_OfAnotherDriversVolume_IsNull", "Volumes that are not the driver's own are left to others; its own have one id.", IdentifyAsync),
        DriverConformance.Make("Attach_Repeated_AnswersTheSame", "Attaching again, by another process too, changes nothing and answers the same.", RepeatAsync),
        DriverConformance.Make("Attach_ToAnotherInstance_WaitsForTheFirst", "A volume on another instance may come free: Transient until it does.", BusyAsync),
        DriverConformance.Make("Attach_ToWhatDoesNotExist_IsNotFound", "An instance that never was, or has ended, takes no volume.", MissingInstanceAsync),
        DriverConformance.Make("Detach_WhatIsNotAttached_IsNoError", "Detaching twice, or from an instance that never had it, changes nothing.", DetachAgainAsync),
        DriverConformance.Make("Terminate_WithVolume_FreesIt", "When an instance has ended its volume can be attached elsewhere, without being detached.", TerminateAsync),
        DriverConformance.Make("Detach_AfterTheEnd_IsNoError", "An instance that has ended, and one that never was, hold nothing to detach.", DetachEndedAsync),
    ];

    private static async Task IdentifyAsync(CheckContext context)
    {
        var attacher = Attacher(context.MakeDriver());
        var volume = await MakeVolumeAsync(context);
        var (first, second) = (attacher.Identify(volume), Attacher(context.MakeDriver()).Identify(volume));
        Check(first is { Id.Length: > 0 } && first == second, Rules.Identify, "the volume of the suite has one id", $"{first}, then {second}");
        var foreign = attacher.Identify(new PersistentVolume
        {
            Metadata = new ObjectMeta { Name = "foreign" },
            Spec = new PersistentVolumeSpec { Csi = new CsiPersistentVolumeSource { Driver = "no.such.driver", VolumeHandle = first!.Id } },
        });
        Check(foreign is null, Rules.Identify, "a volume of driver no.such.driver is null", $"{foreign}");
    }

    private static async Task RepeatAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var (instance, volume) = (await context.RunAsync(driver), await IdentifyAsync(context, driver));
        var first = await AttachAsync(context, driver, instance, volume);
        Check(first.Paths.Count > 0 || first.Serial is { Length: > 0 }, Rules.Attach, "a path or serial number by which the cell finds the device", "neither");
        foreach (var again in new[] { driver, context.MakeDriver() })
        {
            var second = await AttachAsync(context, again, instance, volume);
            Check(
                first.Paths.SequenceEqual(second.Paths) && first.Serial == second.Serial,
                Rules.Attach, Describe(first), () => Describe(second));
        }
    }

    private static async Task BusyAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var (holder, other, volume) = (await context.RunAsync(driver), await context.RunAsync(driver), await IdentifyAsync(context, driver));
        await AttachAsync(context, driver, holder, volume);
        try
        {
            var answer = await Attacher(driver).AttachAsync(other, volume, readOnly: false, context.CancellationToken);
            throw new DriverConformanceException(Rules.AttachBusy, $"{other} does not get the volume of {holder}", Describe(answer));
        }
        catch (DriverException refused) when (refused.IsRetryable)
        {
            // As it should be, or for a moment's reason: the core would try again.
        }
        catch (DriverException refused)
        {
            throw new DriverConformanceException(Rules.AttachBusy, "Transient", $"{refused.Kind}: {refused.Message}", refused);
        }

        // It was not taken from its holder, and comes free when that gives it back.
        await AttachAsync(context, driver, holder, volume);
        await DetachAsync(context, driver, holder, volume);
        await AttachAsync(context, context.MakeDriver(), other, volume);
    }

    private static async Task MissingInstanceAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var (instance, volume) = (await context.RunAsync(driver), await IdentifyAsync(context, driver));
        await CheckMissingAsync(TerminateChecks.MakeUnknownId(instance));
        await context.TerminateAsync(driver, instance);
        await context.WaitUntilEndedAsync(driver, instance);
        await CheckMissingAsync(instance);

        async Task CheckMissingAsync(string id)
        {
            var error = await context.FailAsync(
                $"AttachAsync({id})", Rules.AttachMissing, "NotFound", token => Attacher(driver).AttachAsync(id, volume, false, token));
            Check(error.Kind == DriverErrorKind.NotFound, Rules.AttachMissing, "NotFound", $"{error.Kind}: {error.Message}");
        }
    }

    private static async Task DetachAgainAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var (holder, other, volume) = (await context.RunAsync(driver), await context.RunAsync(driver), await IdentifyAsync(context, driver));
        await DetachAsync(context, driver, holder, volume, Rules.DetachMissing);
        await AttachAsync(context, driver, holder, volume);
        await DetachAsync(context, driver, other, volume, Rules.DetachMissing);
        try
        {
            await Attacher(driver).AttachAsync(other, volume, readOnly: false, context.CancellationToken);
            throw new DriverConformanceException(Rules.DetachMissing, $"detaching from {other} leaves the volume on {holder}", "it came off");
        }
        catch (DriverException busy) when (busy.IsRetryable)
        {
            // It is on its holder still.
        }

        await DetachAsync(context, driver, holder, volume);
        await DetachAsync(context, context.MakeDriver(), holder, volume, Rules.DetachMissing);
        await AttachAsync(context, driver, other, volume);
    }

    private static async Task TerminateAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var (holder, other, volume) = (await context.RunAsync(driver), await context.RunAsync(driver), await IdentifyAsync(context, driver));
        await AttachAsync(context, driver, holder, volume);
        await context.TerminateAsync(driver, holder);
        await context.WaitUntilEndedAsync(driver, holder);
        await AttachAsync(context, driver, other, volume, Rules.EndedHoldsNothing);
    }

    private static async Task DetachEndedAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var (instance, volume) = (await context.RunAsync(driver), await IdentifyAsync(context, driver));
        await AttachAsync(context, driver, instance, volume);
        await context.TerminateAsync(driver, instance);
        await context.WaitUntilEndedAsync(driver, instance);
        await DetachAsync(context, driver, instance, volume, Rules.DetachMissing);
        await DetachAsync(context, driver, TerminateChecks.MakeUnknownId(instance), volume, Rules.DetachMissing);
    }

    private static IVolumeAttacher Attacher(ICellDriver driver) => driver as IVolumeAttacher
        ?? throw new DriverConformanceException(Rules.Identify, "the driver implements IVolumeAttacher", driver.GetType().Name);

    private static Task<PersistentVolume> MakeVolumeAsync(CheckContext context) =>
        (context.Options.CreateVolume ?? throw new InvalidOperationException($"the checks of volumes need {nameof(context.Options.CreateVolume)}"))(context.CancellationToken);

    private static async Task<AttachableVolume> IdentifyAsync(CheckContext context, ICellDriver driver) => Attacher(driver).Identify(await MakeVolumeAsync(context))
        ?? throw new DriverConformanceException(Rules.Identify, "the volume of the suite is the driver's own", "null");

    private static Task<AttachedDevice> AttachAsync(CheckContext context, ICellDriver driver, string instance, AttachableVolume volume, string rule = Rules.Attach) =>
        context.CallAsync($"AttachAsync({instance}, {volume.Id})", rule, token => Attacher(driver).AttachAsync(instance, volume, readOnly: false, token));

    private static Task<bool> DetachAsync(CheckContext context, ICellDriver driver, string instance, AttachableVolume volume, string rule = Rules.Detach) => context.CallAsync(
        $"DetachAsync({instance}, {volume.Id})",
        rule,
        async token =>
        {
            await Attacher(driver).DetachAsync(instance, volume, token);
            return true;
        });

    private static string Describe(AttachedDevice device) => $"{string.Join(", ", device.Paths)} (serial {device.Serial ?? "none"})";
}
