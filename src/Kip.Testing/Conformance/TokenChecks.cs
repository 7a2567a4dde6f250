using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>The launch token makes at most one instance.</summary>
internal static class TokenChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Token_Repeated_ReturnsTheSameInstance", "A repeated launch returns the instance that the first one made.", context => RepeatAsync(context, (_, driver) => driver)),
        DriverConformance.Make("Token_RepeatedByAnotherProcess_ReturnsTheSameInstance", "A launch repeated after a restart returns the instance that was made before.", context => RepeatAsync(context, (context, _) => context.MakeDriver())),
        DriverConformance.Make("Token_RepeatedAtOnce_MakesOneInstance", "Launches with one token at the same time, from two processes, make one instance.", RepeatAtOnceAsync),
        DriverConformance.Make("Token_RepeatedAfterTermination_MakesNothingNew", "A launch repeated after its instance has ended makes nothing new.", RepeatAfterTerminationAsync),
        DriverConformance.Make("Token_Different_MakesDifferentInstances", "Launches that differ in nothing but the token make an instance each.", DifferAsync),
    ];

    private static async Task RepeatAsync(CheckContext context, Func<CheckContext, ICellDriver, ICellDriver> next)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        var first = await context.LaunchAsync(driver, request);
        for (var i = 0; i < 3; i++)
        {
            var second = await context.LaunchAsync(next(context, driver), request);
            CheckSame(first, second);
            LaunchChecks.CheckAsAskedFor(second, request);
        }

        await CheckOnlyAsync(context, driver, first.Id);
    }

    private static async Task RepeatAtOnceAsync(CheckContext context)
    {
        ICellDriver[] drivers = [context.MakeDriver(), context.MakeDriver()];
        var request = await context.MakeRequestAsync(drivers[0]);
        var instances = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            i => Task.Run(() => context.LaunchAsync(drivers[i % drivers.Length], request), context.CancellationToken)));
        foreach (var instance in instances)
        {
            CheckSame(instances[0], instance);
        }

        await CheckOnlyAsync(context, drivers[1], instances[0].Id);
    }

    private static async Task RepeatAfterTerminationAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        var first = await context.LaunchAsync(driver, request);
        await context.TerminateAsync(driver, first.Id);
        await context.WaitUntilEndedAsync(driver, first.Id);

        foreach (var next in new[] { driver, context.MakeDriver() })
        {
            var second = await context.LaunchAsync(next, request);
            CheckSame(first, second);
            Check(second.State >= InstanceState.Terminating, Rules.Token, $"{first.Id} as it is, ended", () => Describe(second));
        }

        await context.WatchAsync(async () =>
        {
            var alive = (await context.ListAsync(driver)).Where(instance => instance.State < InstanceState.Terminating).ToList();
            Check(alive.Count == 0, Rules.Token, "nothing new", () => string.Join("; ", alive.Select(Describe)));
        });
    }

    private static async Task DifferAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        var first = await context.LaunchAsync(driver, request);
        var second = await context.LaunchAsync(driver, request with { LaunchToken = Guid.NewGuid().ToString("n") });
        Check(first.Id != second.Id, Rules.LaunchOne, "two different instances", $"{first.Id} twice");
        await context.WaitForAsync(driver, first.Id, _ => true, Rules.ListComplete, "is listed");
        await context.WaitForAsync(driver, second.Id, _ => true, Rules.ListComplete, "is listed");
    }

    private static void CheckSame(Instance first, Instance second) =>
        Check(first.Id == second.Id, Rules.Token, $"{first.Id}", () => Describe(second));

    private static Task CheckOnlyAsync(CheckContext context, ICellDriver driver, string id) => context.WatchAsync(async () =>
    {
        var others = (await context.ListAsync(driver)).Where(instance => instance.Id != id).ToList();
        Check(others.Count == 0, Rules.Token, $"only {id}", () => string.Join("; ", others.Select(Describe)));
    });
}
