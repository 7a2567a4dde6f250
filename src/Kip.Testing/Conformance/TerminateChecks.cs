using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>What is terminated ends and stays away; what is not the controller's own is not touched.</summary>
internal static class TerminateChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Terminate_Repeated_IsNoError", "Terminating twice, by another process too, or after the end is no error.", RepeatAsync),
        DriverConformance.Make("Terminate_Unknown_IsNoError", "Terminating what never was, or nothing, is no error, and does not keep the others from ending.", UnknownAsync),
        DriverConformance.Make("Terminate_OfAnotherController_TouchesNothing", "A controller cannot terminate another's instance.", ForeignAsync),
        DriverConformance.Make("Terminate_ManyAtOnce_EndsThemAndOnlyThem", "Many instances are terminated in one call; the others live on.", ManyAsync),
        DriverConformance.Make("Terminate_RightAfterLaunch_EndsTheInstance", "An instance that has not booted yet can be terminated; nothing comes back.", AtOnceAsync),
    ];

    private static async Task RepeatAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var instance = await context.LaunchAsync(driver);
        await context.TerminateAsync(driver, instance.Id);
        await context.TerminateAsync(driver, instance.Id, instance.Id);
        await context.TerminateAsync(context.MakeDriver(), instance.Id);
        await context.WaitUntilEndedAsync(driver, instance.Id);
        await context.TerminateAsync(driver, instance.Id);
        await CheckStayAwayAsync(context, driver, instance.Id);
    }

    private static async Task UnknownAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        await context.TerminateAsync(driver);
        var instance = await context.LaunchAsync(driver);
        var unknown = MakeUnknownId(instance.Id);
        await context.TerminateAsync(driver, unknown);
        await context.TerminateAsync(driver, unknown, instance.Id);
        await context.WaitUntilEndedAsync(driver, instance.Id);
    }

    private static async Task ForeignAsync(CheckContext context)
    {
        var (owner, stranger) = (context.MakeDriver(1), context.MakeDriver(2));
        var instance = await context.LaunchAsync(owner);
        await context.WaitForAsync(owner, instance.Id, now => now.Address is not null, Rules.Address, "has an address");

        try
        {
            await context.TerminateAsync(stranger, instance.Id);
        }
        catch (DriverConformanceException refused) when (refused.InnerException is DriverException)
        {
            // Whether that is an error is the driver's choice; the instance must live.
        }

        await context.WatchAsync(async () =>
        {
            var now = await context.FindAsync(owner, instance.Id);
            Check(
                now is { State: < InstanceState.Terminating },
                Rules.TerminateForeign, $"{instance.Id} lives on", () => now is null ? "it is not listed any more" : Describe(now));
        });
    }

    private static async Task ManyAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var instances = new List<Instance>();
        for (var i = 0; i < Math.Max(3, context.Options.ManyInstances); i++)
        {
            instances.Add(await context.LaunchAsync(driver));
        }

        var kept = instances[0].Id;
        string[] ended = [.. instances.Skip(1).Select(instance => instance.Id)];
        await context.TerminateAsync(driver, ended);
        await context.WaitUntilEndedAsync(driver, ended);
        await context.WatchAsync(async () =>
        {
            var now = await context.FindAsync(driver, kept);
            Check(now is { State: < InstanceState.Terminating }, Rules.Terminate, $"{kept}, which was not named, lives on", () => now is null ? "it is not listed" : Describe(now));
        });
        await CheckStayAwayAsync(context, driver, ended);
    }

    private static async Task AtOnceAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var instance = await context.LaunchAsync(driver);
        await context.TerminateAsync(driver, instance.Id);
        await context.WaitUntilEndedAsync(driver, instance.Id);
        await CheckStayAwayAsync(context, driver, instance.Id);
    }

    private static Task CheckStayAwayAsync(CheckContext context, ICellDriver driver, params string[] ids) => context.WatchAsync(async () =>
    {
        var back = (await context.ListAsync(driver)).Where(instance => ids.Contains(instance.Id) && instance.State != InstanceState.Terminated).ToList();
        Check(back.Count == 0, Rules.ListEnded, "ended instances stay away", () => string.Join("; ", back.Select(Describe)));
    });

    // The cloud's identifiers have a form of their own: only the last digits are changed.
    internal static string MakeUnknownId(string id)
    {
        var tail = id.Length >= 4 ? id[..^4] : "";
        return tail + string.Concat(id[tail.Length..].Select(c => c == '0' ? '1' : char.IsAsciiDigit(c) ? '0' : c == 'f' ? 'e' : char.IsAsciiHexDigitLower(c) ? 'f' : c));
    }
}
