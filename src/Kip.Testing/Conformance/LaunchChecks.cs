using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>What a launch makes, and what it refuses.</summary>
internal static class LaunchChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Launch_Always_ReturnsBeforeTheBoot", "A launch returns once the cloud has accepted it.", LaunchPromptlyAsync),
        DriverConformance.Make("Launch_Always_IsListedAsAskedFor", "A launched instance is listed with its type, zone, capacity type and all tags.", LaunchAndListAsync),
        DriverConformance.Make("Launch_Always_GetsAnAddressAndRuns", "A launched instance gets an address and comes to run; its state never moves backwards.", LaunchAndWaitAsync),
        DriverConformance.Make("Launch_ManyAtOnce_AreDistinct", "Launches at the same time make one instance each, with addresses of their own.", LaunchManyAsync),
        DriverConformance.Make("Launch_UnknownType_IsRefused", "A type that does not exist fails for good, and nothing is launched.", context => RefuseAsync(context, request => request with { InstanceType = "no-such-type" })),
        DriverConformance.Make("Launch_UnknownZone_IsRefused", "A zone that does not exist fails for good, and nothing is launched.", context => RefuseAsync(context, request => request with { Zone = "no-such-zone" })),
    ];

    public static void CheckAsAskedFor(Instance instance, LaunchRequest request)
    {
        Check(
            (instance.InstanceType, instance.Zone, instance.CapacityType) == (request.InstanceType, request.Zone, request.CapacityType),
            Rules.Instance, $"{request.InstanceType}, {request.Zone}, {request.CapacityType}", () => Describe(instance));
        foreach (var (key, value) in request.Tags)
        {
            Check(
                instance.Tags.GetValueOrDefault(key) == value,
                Rules.Tags, $"tag {key}={value} on {instance.Id}", () => instance.Tags.TryGetValue(key, out var other) ? $"{key}={other}" : "it is missing");
        }
    }

    private static async Task LaunchPromptlyAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        var start = context.Clock.GetTimestamp();
        await context.LaunchAsync(driver, request);
        var took = context.Clock.GetElapsedTime(start);
        Check(took <= context.Options.LaunchTime, Rules.LaunchPrompt, $"an answer within {context.Options.LaunchTime}", $"it took {took}");
    }

    private static async Task LaunchAndListAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        var before = context.Clock.GetUtcNow();

        var instance = await context.LaunchAsync(driver, request);
        Check(instance.Id.Length > 0, Rules.LaunchOne, "an identifier", "an empty text");
        Check(
            instance.State is InstanceState.Pending or InstanceState.Running, Rules.LaunchPrompt, "a new instance, pending or running", $"{instance.State}");
        CheckAsAskedFor(instance, request);

        var listed = await context.WaitForAsync(driver, instance.Id, _ => true, Rules.ListComplete, "is listed");
        CheckAsAskedFor(listed, request);

        // Clocks of clouds are not ours: only nonsense is caught.
        Check(
            (listed.LaunchedAt - before).Duration() < TimeSpan.FromHours(1), Rules.Instance, $"a launch time near {before:O}", $"{listed.LaunchedAt:O}");
    }

    private static async Task LaunchAndWaitAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var instance = await context.LaunchAsync(driver);
        var history = new StateHistory();
        history.Add(instance);
        await context.WaitForAsync(
            driver,
            instance.Id,
            now =>
            {
                history.Add(now);
                return now is { State: InstanceState.Running, Address: not null };
            },
            Rules.Address,
            "runs and has an address");

        await context.TerminateAsync(driver, instance.Id);
        await context.UntilAsync(
            async () =>
            {
                var now = await context.FindAsync(driver, instance.Id);
                history.Add(instance.Id, now);
                return now is null or { State: InstanceState.Terminated };
            },
            Rules.Terminate,
            $"{instance.Id} ends",
            () => "it is still there");
        await context.WatchAsync(async () => history.Add(instance.Id, await context.FindAsync(driver, instance.Id)));
    }

    private static async Task LaunchManyAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var requests = new List<LaunchRequest>();
        for (var i = 0; i < context.Options.ManyInstances; i++)
        {
            requests.Add(await context.MakeRequestAsync(driver));
        }

        var instances = await Task.WhenAll(requests.Select(request => Task.Run(() => context.LaunchAsync(driver, request), context.CancellationToken)));
        var ids = instances.Select(instance => instance.Id).ToHashSet();
        Check(ids.Count == requests.Count, Rules.LaunchOne, $"{requests.Count} different instances", $"{ids.Count}");

        List<Instance> found = [];
        await context.UntilAsync(
            async () =>
            {
                found = [.. await context.ListAsync(driver)];
                return ids.IsSubsetOf(found.Select(instance => instance.Id)) && found.TrueForAll(instance => instance.Address is not null);
            },
            Rules.Address,
            $"all {ids.Count} instances are listed with addresses",
            () => string.Join("; ", found.Select(Describe)));
        Check(found.Count == ids.Count, Rules.LaunchOne, $"{ids.Count} instances in all", $"{found.Count}");
        Check(
            found.Select(instance => instance.Address).Distinct().Count() == found.Count,
            Rules.Address, "an address of its own for each", () => string.Join("; ", found.Select(Describe)));
        var podAddresses = found.Select(instance => instance.PodAddress).OfType<string>().ToList();
        Check(podAddresses.Distinct().Count() == podAddresses.Count, Rules.Address, "pod addresses of their own", string.Join(", ", podAddresses));

        // Answers to launches at the same time must not be mixed up.
        for (var i = 0; i < requests.Count; i++)
        {
            CheckAsAskedFor(found.Single(instance => instance.Id == instances[i].Id), requests[i]);
        }
    }

    private static async Task RefuseAsync(CheckContext context, Func<LaunchRequest, LaunchRequest> spoil)
    {
        var driver = context.MakeDriver();
        var request = spoil(await context.MakeRequestAsync(driver));
        var error = await context.FailAsync(
            $"LaunchAsync of {request.InstanceType} in {request.Zone}",
            Rules.Unsupported,
            "Unsupported or InvalidConfiguration",
            token => driver.LaunchAsync(request, token));
        Check(
            error.Kind is DriverErrorKind.Unsupported or DriverErrorKind.InvalidConfiguration,
            Rules.Unsupported, "Unsupported or InvalidConfiguration", $"{error.Kind}: {error.Message}");
        await context.WatchAsync(async () =>
        {
            var list = await context.ListAsync(driver);
            Check(list.Count == 0, Rules.LaunchFailed, "nothing was launched", () => string.Join("; ", list.Select(Describe)));
        });
    }
}
