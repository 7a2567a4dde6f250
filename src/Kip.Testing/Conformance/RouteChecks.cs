using System.Globalization;
using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>Ranges lead to the cell that asked for them last, until that gives them back.</summary>
internal static class RouteChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Route_NewRanges_LeadToTheInstance", "All of the ranges lead to the instance when the call returns.", RouteAsync),
        DriverConformance.Make("Route_Repeated_ChangesNothing", "Routing again, by another process too, is no error and changes nothing.", RepeatAsync),
        DriverConformance.Make("Route_OfAnotherCell_IsTakenOver", "Who was routed to last has the range, also when the one before has ended.", TakeOverAsync),
        DriverConformance.Make("Route_ToWhatDoesNotExist_IsNotFound", "An instance that never was, has ended or is another controller's gets no route.", MissingAsync),
        DriverConformance.Make("Unroute_OfItsOwn_TakesThemAway", "The ranges lead nowhere afterwards; taking away what is not there is no error.", UnrouteAsync),
        DriverConformance.Make("Unroute_WhatAnotherHasTakenOver_Stays", "A cell takes away its own routes only.", UnrouteTakenAsync),
        DriverConformance.Make("Unroute_AfterTheEnd_TakesThemAway", "The routes of an instance that has ended can be taken away.", UnrouteEndedAsync),
    ];

    private static async Task RouteAsync(CheckContext context)
    {
        var (driver, ranges) = (context.MakeDriver(), MakeRanges(2));
        var instance = await context.RunAsync(driver);
        await RouteAsync(context, driver, instance, ranges);
        await CheckLeadAsync(context, ranges, instance, Rules.Route);
        await UnrouteAsync(context, driver, instance, ranges);
    }

    private static async Task RepeatAsync(CheckContext context)
    {
        var (driver, ranges) = (context.MakeDriver(), MakeRanges(1));
        var instance = await context.RunAsync(driver);
        await RouteAsync(context, driver, instance, ranges);
        foreach (var again in new[] { driver, context.MakeDriver() })
        {
            await RouteAsync(context, again, instance, ranges);
            await CheckLeadAsync(context, ranges, instance, Rules.RouteAgain);
        }

        await UnrouteAsync(context, driver, instance, ranges);
    }

    private static async Task TakeOverAsync(CheckContext context)
    {
        var (driver, ranges) = (context.MakeDriver(), MakeRanges(1));
        var (first, second, third) = (await context.RunAsync(driver), await context.RunAsync(driver), await context.RunAsync(driver));
        await RouteAsync(context, driver, first, ranges);
        await RouteAsync(context, driver, second, ranges);
        await CheckLeadAsync(context, ranges, second, Rules.RouteTakeOver);
        await context.TerminateAsync(driver, second);
        await context.WaitUntilEndedAsync(driver, second);
        await RouteAsync(context, context.MakeDriver(), third, ranges);
        await CheckLeadAsync(context, ranges, third, Rules.RouteTakeOver);
        await UnrouteAsync(context, driver, third, ranges);
    }

    private static async Task MissingAsync(CheckContext context)
    {
        var (driver, other, ranges) = (context.MakeDriver(), context.MakeDriver(2), MakeRanges(1));
        var (ended, foreign) = (await context.RunAsync(driver), await context.RunAsync(other));
        await context.TerminateAsync(driver, ended);
        await context.WaitUntilEndedAsync(driver, ended);
        foreach (var id in new[] { TerminateChecks.MakeUnknownId(ended), ended, foreign })
        {
            var error = await context.FailAsync(
                $"RouteAsync({id})",
                Rules.RouteMissing,
                "NotFound",
                async token =>
                {
                    await Router(driver).RouteAsync(id, ranges, token);
                    return true;
                });
            Check(error.Kind == DriverErrorKind.NotFound, Rules.RouteMissing, "NotFound", $"{error.Kind}: {error.Message}");
            await CheckLeadAsync(context, ranges, null, Rules.RouteMissing);
        }
    }

    private static async Task UnrouteAsync(CheckContext context)
    {
        var (driver, ranges) = (context.MakeDriver(), MakeRanges(2));
        var instance = await context.RunAsync(driver);
        await UnrouteAsync(context, driver, instance, ranges);
        await RouteAsync(context, driver, instance, ranges);
        await UnrouteAsync(context, context.MakeDriver(), instance, ranges);
        await CheckLeadAsync(context, ranges, null, Rules.Unroute);
        await UnrouteAsync(context, driver, instance, ranges);
    }

    private static async Task UnrouteTakenAsync(CheckContext context)
    {
        var (driver, ranges) = (context.MakeDriver(), MakeRanges(1));
        var (first, second) = (await context.RunAsync(driver), await context.RunAsync(driver));
        await RouteAsync(context, driver, first, ranges);
        await RouteAsync(context, driver, second, ranges);
        await UnrouteAsync(context, driver, first, ranges);
        await CheckLeadAsync(context, ranges, second, Rules.UnrouteOwn);
        await UnrouteAsync(context, driver, second, ranges);
    }

    private static async Task UnrouteEndedAsync(CheckContext context)
    {
        var (driver, ranges) = (context.MakeDriver(), MakeRanges(1));
        var instance = await context.RunAsync(driver);
        await RouteAsync(context, driver, instance, ranges);
        await context.TerminateAsync(driver, instance);
        await context.WaitUntilEndedAsync(driver, instance);
        await UnrouteAsync(context, driver, instance, ranges);
        await CheckLeadAsync(context, ranges, null, Rules.Unroute);
    }

    private static ICellRouter Router(ICellDriver driver) => driver as ICellRouter
        ?? throw new DriverConformanceException(Rules.Route, "the driver implements ICellRouter", driver.GetType().Name);

    // Of the range that RFC 2544 sets aside for tests inside one network.
    private static string[] MakeRanges(int count) =>
        [.. Enumerable.Range(0, count).Select(static _ => string.Create(CultureInfo.InvariantCulture, $"198.{Random.Shared.Next(18, 20)}.{Random.Shared.Next(256)}.0/24")).Distinct()];

    private static Task<bool> RouteAsync(CheckContext context, ICellDriver driver, string instance, IReadOnlyList<string> ranges) => context.CallAsync(
        $"RouteAsync({instance}, {string.Join(", ", ranges)})",
        Rules.Route,
        async token =>
        {
            await Router(driver).RouteAsync(instance, ranges, token);
            return true;
        });

    private static Task<bool> UnrouteAsync(CheckContext context, ICellDriver driver, string instance, IReadOnlyList<string> ranges) => context.CallAsync(
        $"UnrouteAsync({instance}, {string.Join(", ", ranges)})",
        Rules.Unroute,
        async token =>
        {
            await Router(driver).UnrouteAsync(instance, ranges, token);
            return true;
        });

    private static async Task CheckLeadAsync(CheckContext context, IReadOnlyList<string> ranges, string? instance, string rule)
    {
        var find = context.Options.FindRoute ?? throw new InvalidOperationException($"the checks of routes need {nameof(context.Options.FindRoute)}");
        foreach (var range in ranges)
        {
            var found = await find(range, context.CancellationToken);
            Check(found == instance, rule, $"{range} leads to {instance ?? "nothing"}", $"it leads to {found ?? "nothing"}");
        }
    }
}
