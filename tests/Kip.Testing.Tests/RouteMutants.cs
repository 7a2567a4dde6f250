using Kip.Drivers;

namespace Kip.Testing.Tests;

/// <summary>Drivers that are wrong with routes in one way each, with the check that must find it.</summary>
internal static class RouteMutants
{
    public static IReadOnlyList<(string Check, string Mutant, Func<ConformanceFixture, ICellDriver, ICellDriver> Wrap)> All { get; } =
    [
        ("Route_NewRanges_LeadToTheInstance", "the first only", (_, d) => new DriverMutant(d) { Route = (i, ranges, t) => Of(d).RouteAsync(i, [ranges[0]], t) }),
        ("Route_NewRanges_LeadToTheInstance", "none", (_, d) => new DriverMutant(d) { Route = static (_, _, _) => Task.CompletedTask }),
        ("Route_NewRanges_LeadToTheInstance", "cannot route", (_, d) => new BareDriver(d)),
        ("Route_Repeated_ChangesNothing", "routed is an error", (f, d) => new DriverMutant(d)
        {
            Route = (i, ranges, t) => f.Shared.TryAdd(ranges[0], i) ? Of(d).RouteAsync(i, ranges, t) : throw new DriverException(DriverErrorKind.InvalidConfiguration, "RouteAlreadyExists"),
        }),
        ("Route_Repeated_ChangesNothing", "there and gone", (f, d) => new DriverMutant(d)
        {
            Route = (i, ranges, t) => f.Shared.TryAdd(ranges[0], i) ? Of(d).RouteAsync(i, ranges, t) : Of(d).UnrouteAsync(i, ranges, t),
        }),
        ("Route_OfAnotherCell_IsTakenOver", "the first keeps it", (f, d) => new DriverMutant(d)
        {
            Route = (i, ranges, t) => f.Shared.TryAdd(ranges[0], i) || f.Shared[ranges[0]] == i ? Of(d).RouteAsync(i, ranges, t) : Task.CompletedTask,
        }),
        ("Route_OfAnotherCell_IsTakenOver", "only of the living", (f, d) => new DriverMutant(d)
        {
            Route = (i, ranges, t) => f.Cloud.Routes.TryGetValue(ranges[0], out var before) && !f.Cloud.Instances.Any(instance => instance.Instance.Id == before && instance.IsAlive)
                ? throw new DriverException(DriverErrorKind.InvalidConfiguration, "blackhole") : Of(d).RouteAsync(i, ranges, t),
        }),
        ("Route_ToWhatDoesNotExist_IsNotFound", "believes it", (_, d) => new DriverMutant(d) { Route = static (_, _, _) => Task.CompletedTask }),
        ("Route_ToWhatDoesNotExist_IsNotFound", "another kind", (_, d) => new DriverMutant(d)
        {
            Route = async (i, ranges, t) =>
            {
                try
                {
                    await Of(d).RouteAsync(i, ranges, t);
                }
                catch (DriverException e) when (e.Kind == DriverErrorKind.NotFound)
                {
                    throw new DriverException(DriverErrorKind.InvalidConfiguration, e.Message);
                }
            },
        }),
        ("Unroute_OfItsOwn_TakesThemAway", "the first only", (_, d) => new DriverMutant(d) { Unroute = (i, ranges, t) => Of(d).UnrouteAsync(i, [ranges[0]], t) }),
        ("Unroute_OfItsOwn_TakesThemAway", "gone is an error", (f, d) => new DriverMutant(d)
        {
            Unroute = (i, ranges, t) => f.Cloud.Routes.ContainsKey(ranges[0]) ? Of(d).UnrouteAsync(i, ranges, t) : throw new DriverException(DriverErrorKind.InvalidConfiguration, "InvalidRoute.NotFound"),
        }),
        ("Unroute_WhatAnotherHasTakenOver_Stays", "takes anybody's", (f, d) => new DriverMutant(d)
        {
            Unroute = (_, ranges, t) => f.Cloud.Routes.TryGetValue(ranges[0], out var holder) ? Of(d).UnrouteAsync(holder, ranges, t) : Task.CompletedTask,
        }),
        ("Unroute_AfterTheEnd_TakesThemAway", "the ended keep theirs", (f, d) => new DriverMutant(d)
        {
            Unroute = (i, ranges, t) => f.Cloud.Instances.Any(instance => instance.Instance.Id == i && instance.IsAlive) ? Of(d).UnrouteAsync(i, ranges, t) : Task.CompletedTask,
        }),
    ];

    private static ICellRouter Of(ICellDriver driver) => (ICellRouter)driver;
}
