using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>The list shows the controller's own instances, all of them, to every process.</summary>
internal static class ListChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("List_OfNewController_IsEmpty", "A controller that has launched nothing sees nothing.", ListNothingAsync),
        DriverConformance.Make("List_OfTwoControllers_ShowsEachItsOwn", "A controller sees its own instances and no other's.", ListOwnAsync),
        DriverConformance.Make("List_ByAnotherProcess_ShowsTheSame", "After a restart a controller sees what it launched before.", ListAgainAsync),
    ];

    private static async Task ListNothingAsync(CheckContext context)
    {
        var list = await context.ListAsync(context.MakeDriver());
        Check(list.Count == 0, Rules.ListOwn, "nothing", () => string.Join("; ", list.Select(Describe)));
    }

    private static async Task ListOwnAsync(CheckContext context)
    {
        var (one, two) = (context.MakeDriver(1), context.MakeDriver(2));
        var first = await context.LaunchAsync(one);
        var second = await context.LaunchAsync(two);
        await context.WaitForAsync(one, first.Id, _ => true, Rules.ListComplete, "is listed");
        await context.WaitForAsync(two, second.Id, _ => true, Rules.ListComplete, "is listed");

        await context.WatchAsync(async () =>
        {
            CheckOnly(await context.ListAsync(one), first.Id);
            CheckOnly(await context.ListAsync(two), second.Id);
        });

        static void CheckOnly(IReadOnlyList<Instance> list, string id)
        {
            var others = list.Where(instance => instance.Id != id).ToList();
            Check(others.Count == 0, Rules.ListOwn, $"only {id}", () => string.Join("; ", others.Select(Describe)));
        }
    }

    private static async Task ListAgainAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        var launched = await context.LaunchAsync(driver, request);
        var listed = await context.WaitForAsync(context.MakeDriver(), launched.Id, now => now.Address is not null, Rules.ListComplete, "is listed, with an address");
        LaunchChecks.CheckAsAskedFor(listed, request);
    }
}
