using System.Collections.Concurrent;
using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Testing.Tests;

/// <summary>Drivers that are wrong in one way each, with the check that must find it.</summary>
internal static class DriverMutants
{
    private const string Random = "Random_SequenceOfCalls_AgreesWithTheModel";

    public static IReadOnlyList<(string Check, string Mutant, Func<ConformanceFixture, ICellDriver, ICellDriver> Wrap)> All { get; } =
    [
        .. VolumeMutants.All,
        .. RouteMutants.All,

        ("Description_Always_IsConstantAndComplete", "name in capitals", (_, d) => new DriverMutant(d) { Describe = () => d.Description with { Name = "AWS" } }),
        ("Description_Always_IsConstantAndComplete", "no region", (_, d) => new DriverMutant(d) { Describe = () => d.Description with { Region = "" } }),
        ("Description_Always_IsConstantAndComplete", "changes", (f, d) => new DriverMutant(d) { Describe = () => d.Description with { Region = $"r{f.Shared.Count}{Count(f, "describe")}" } }),
        ("Description_Always_IsConstantAndComplete", "another's controller id", (_, d) => new DriverMutant(d) { Describe = () => d.Description with { ControllerId = "kip" } }),

        ("Catalog_Always_IsComplete", "empty", (_, d) => WithCatalog(d, _ => [])),
        ("Catalog_Always_IsComplete", "a type twice", (_, d) => WithCatalog(d, types => [.. types, types[0]])),
        ("Catalog_Always_IsComplete", "no memory", (_, d) => WithCatalog(d, types => [types[0] with { MemoryBytes = 0 }])),
        ("Catalog_Always_IsComplete", "a price of zero", (_, d) => WithCatalog(d, types => [types[0] with { Offerings = [new Offering("z", CapacityType.OnDemand, 0)] }])),
        ("Catalog_Always_IsComplete", "no offerings", (_, d) => WithCatalog(d, types => [types[0] with { Offerings = [] }])),
        ("Catalog_Always_IsComplete", "an empty zone", (_, d) => WithCatalog(d, types => [types[0] with { Offerings = [new Offering("", CapacityType.OnDemand, null)] }])),
        ("Catalog_Always_IsComplete", "an unknown architecture", (_, d) => WithCatalog(d, types => [types[0] with { Architecture = "x86_64" }])),
        ("Catalog_Always_IsComplete", "throws something else", (_, d) => new DriverMutant(d) { Catalog = _ => throw new InvalidOperationException("parser") }),
        ("Catalog_Always_OffersWhatTheSuiteLaunches", "lacks the type", (_, d) => WithCatalog(d, types => [types[1]])),
        ("Catalog_Always_OffersWhatTheSuiteLaunches", "lacks the zone", (_, d) => WithCatalog(d, types => [types[0] with { Offerings = [types[0].Offerings[1]] }])),

        ("ResolveImage_Default_IsSomething", "has none", (_, d) => new DriverMutant(d) { ResolveImage = (_, _) => Task.FromResult("") }),
        ("ResolveImage_Default_IsSomething", "changes", (f, d) => new DriverMutant(d) { ResolveImage = (_, _) => Task.FromResult($"image-{Count(f, "image")}") }),
        ("ResolveImage_Unknown_IsNotFound", "resolves any image", (_, d) => new DriverMutant(d) { ResolveImage = (r, t) => r.Length == 0 ? d.ResolveImageAsync(r, t) : Task.FromResult(r) }),
        ("ResolveImage_Unknown_IsNotFound", "another kind", (_, d) => new DriverMutant(d) { ResolveImage = (r, t) => r.Length == 0 ? d.ResolveImageAsync(r, t) : throw new DriverException(DriverErrorKind.Unauthorized, "no") }),

        ("Launch_Always_ReturnsBeforeTheBoot", "waits for the boot", WaitsForBoot),
        ("Launch_Always_IsListedAsAskedFor", "loses a tag", (_, d) => WithList(d, i => i with { Tags = i.Tags.Where(tag => tag.Key != InstanceTags.PodName).ToDictionary() })),
        ("Launch_Always_IsListedAsAskedFor", "another zone", (_, d) => new DriverMutant(d) { Launch = (r, t) => d.LaunchAsync(r with { Zone = "sim-1b" }, t) }),
        ("Launch_Always_IsListedAsAskedFor", "another capacity type", (_, d) => new DriverMutant(d) { Launch = (r, t) => d.LaunchAsync(r with { CapacityType = CapacityType.Spot }, t) }),
        ("Launch_Always_IsListedAsAskedFor", "never listed", (_, d) => new DriverMutant(d) { List = _ => Task.FromResult<IReadOnlyList<Instance>>([]) }),
        ("Launch_Always_IsListedAsAskedFor", "no launch time", (_, d) => WithList(d, i => i with { LaunchedAt = default })),
        ("Launch_Always_GetsAnAddressAndRuns", "no address", (_, d) => WithList(d, i => i with { Address = null })),
        ("Launch_Always_GetsAnAddressAndRuns", "never runs", (_, d) => WithList(d, i => i with { State = i.State == InstanceState.Running ? InstanceState.Pending : i.State })),
        ("Launch_Always_GetsAnAddressAndRuns", "moves backwards", (f, d) => WithList(d, i => i with { State = Count(f, "list") == 5 ? InstanceState.Terminating : i.State })),
        ("Launch_Always_GetsAnAddressAndRuns", "changes the address", (f, d) => WithList(d, i => i with { Address = i.Address is null ? null : $"10.0.0.{Count(f, "list")}" })),
        ("Launch_ManyAtOnce_AreDistinct", "one address for all", (_, d) => WithList(d, i => i with { Address = "10.0.0.1" })),
        ("Launch_ManyAtOnce_AreDistinct", "one pod address for all", (_, d) => WithList(d, i => i with { PodAddress = "10.0.0.1" })),
        ("Launch_ManyAtOnce_AreDistinct", "mixes up answers", MixesUpAnswers),
        ("Launch_UnknownType_IsRefused", "takes another type", (_, d) => new DriverMutant(d) { Launch = (r, t) => d.LaunchAsync(r with { InstanceType = "sim.nano" }, t) }),
        ("Launch_UnknownType_IsRefused", "says transient", (_, d) => WithUnsupportedAs(d, DriverErrorKind.Transient)),
        ("Launch_UnknownType_IsRefused", "says out of capacity", (_, d) => WithUnsupportedAs(d, DriverErrorKind.OutOfCapacity)),
        ("Launch_UnknownZone_IsRefused", "takes another zone", (_, d) => new DriverMutant(d) { Launch = (r, t) => d.LaunchAsync(r with { Zone = "sim-1a" }, t) }),
        ("Launch_UnknownZone_IsRefused", "launches before it fails", LaunchesBeforeItFails),

        ("Token_Repeated_ReturnsTheSameInstance", "ignores the token", (_, d) => new DriverMutant(d) { Launch = (r, t) => d.LaunchAsync(r with { LaunchToken = NewToken() }, t) }),
        ("Token_RepeatedByAnotherProcess_ReturnsTheSameInstance", "remembers tokens in memory only", RemembersInMemory),
        ("Token_RepeatedAtOnce_MakesOneInstance", "looks, then launches", LooksThenLaunches),
        ("Token_RepeatedAfterTermination_MakesNothingNew", "forgets ended instances", ForgetsEnded),
        ("Token_Different_MakesDifferentInstances", "one instance for all", (_, d) => new DriverMutant(d) { Launch = (r, t) => d.LaunchAsync(r with { LaunchToken = new string('a', 32) }, t) }),

        ("List_OfNewController_IsEmpty", "lists a stranger", (_, d) => new DriverMutant(d) { List = _ => Task.FromResult<IReadOnlyList<Instance>>([MakeStranger()]) }),
        ("List_OfTwoControllers_ShowsEachItsOwn", "lists everything", (f, d) => new DriverMutant(d) { List = _ => Task.FromResult<IReadOnlyList<Instance>>([.. f.Cloud.Instances.Select(i => i.Instance)]) }),
        ("List_ByAnotherProcess_ShowsTheSame", "lists what it launched itself", ListsItsOwnLaunches),

        ("Terminate_Repeated_IsNoError", "does nothing", (_, d) => new DriverMutant(d) { Terminate = (_, _) => Task.CompletedTask }),
        ("Terminate_Repeated_IsNoError", "cannot repeat", CannotRepeat),
        ("Terminate_Unknown_IsNoError", "unknown is an error", UnknownIsAnError),
        ("Terminate_Unknown_IsNoError", "stops at the unknown", StopsAtUnknown),
        ("Terminate_OfAnotherController_TouchesNothing", "terminates anybody's", TerminatesAnybodys),
        ("Terminate_ManyAtOnce_EndsThemAndOnlyThem", "ends the first only", (_, d) => new DriverMutant(d) { Terminate = (ids, t) => d.TerminateAsync([.. ids.Take(1)], t) }),
        ("Terminate_ManyAtOnce_EndsThemAndOnlyThem", "ends all it has", (_, d) => new DriverMutant(d) { Terminate = async (_, t) => await d.TerminateAsync([.. (await d.ListAsync(t)).Select(i => i.Id)], t) }),
        ("Terminate_RightAfterLaunch_EndsTheInstance", "not while it boots", NotWhileItBoots),
        ("Terminate_RightAfterLaunch_EndsTheInstance", "comes back", ComesBack),

        ("Cancellation_BeforeTheCall_IsHonoured", "ignores cancellation", IgnoresCancellation),
        ("Cancellation_DuringTheCall_IsHonouredPromptly", "ignores cancellation", IgnoresCancellation),
        ("Cancellation_OfLaunch_SettlesToOneInstance", "takes a new token after a cancellation", NewTokenAfterCancellation),

        (Random, "forgets old tokens", ForgetsOldTokens),
        (Random, "takes a new token after a failure", NewTokenAfterFailure),
        (Random, "loses every fifth termination", (f, d) => new DriverMutant(d) { Terminate = (ids, t) => ids.Count > 0 && Count(f, "terminate") % 5 == 0 ? Task.CompletedTask : d.TerminateAsync(ids, t) }),
    ];

    private static string NewToken() => Guid.NewGuid().ToString("n");

    private static int Count(ConformanceFixture fixture, string what)
    {
        lock (fixture.Shared)
        {
            var count = fixture.Shared.TryGetValue(what, out var text) ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) + 1 : 1;
            fixture.Shared[what] = count.ToString(System.Globalization.CultureInfo.InvariantCulture);
            return count;
        }
    }

    private static DriverMutant WithCatalog(ICellDriver driver, Func<IReadOnlyList<InstanceType>, IReadOnlyList<InstanceType>> change) =>
        new(driver) { Catalog = async token => new InstanceCatalog(driver.Description.Region, change((await driver.GetCatalogAsync(token)).Types)) };

    private static DriverMutant WithList(ICellDriver driver, Func<Instance, Instance> change) =>
        new(driver) { List = async token => [.. (await driver.ListAsync(token)).Select(change)] };

    private static DriverMutant WithUnsupportedAs(ICellDriver driver, DriverErrorKind kind) => new(driver)
    {
        Launch = async (request, token) =>
        {
            try
            {
                return await driver.LaunchAsync(request, token);
            }
            catch (DriverException error) when (error.Kind == DriverErrorKind.Unsupported)
            {
                throw new DriverException(kind, error.Message);
            }
        },
    };

    private static DriverMutant WaitsForBoot(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Launch = async (request, token) =>
        {
            var instance = await driver.LaunchAsync(request, token);
            while (instance.State != InstanceState.Running)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), fixture.Clock, token);
                instance = (await driver.ListAsync(token)).Single(other => other.Id == instance.Id);
            }

            return instance;
        },
    };

    private static DriverMutant MixesUpAnswers(ConformanceFixture fixture, ICellDriver driver)
    {
        Instance? last = null;
        return new(driver)
        {
            Launch = async (request, token) =>
            {
                // A field where there should be a variable.
                last = await driver.LaunchAsync(request, token);
                await Task.Delay(TimeSpan.FromMilliseconds(10), fixture.Clock, token);
                return last;
            },
        };
    }

    private static DriverMutant LaunchesBeforeItFails(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Launch = async (request, token) =>
        {
            await driver.LaunchAsync(request with { Zone = "sim-1a" }, token);
            throw new DriverException(DriverErrorKind.Unsupported, $"No zone {request.Zone}.");
        },
    };

    private static DriverMutant RemembersInMemory(ConformanceFixture fixture, ICellDriver driver)
    {
        var tokens = new ConcurrentDictionary<string, string>();
        return new(driver) { Launch = (request, token) => driver.LaunchAsync(request with { LaunchToken = tokens.GetOrAdd(request.LaunchToken, _ => NewToken()) }, token) };
    }

    private static DriverMutant LooksThenLaunches(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Launch = async (request, token) =>
            (await driver.ListAsync(token)).FirstOrDefault(i => i.Tags[InstanceTags.CellId] == request.Tags[InstanceTags.CellId])
                ?? await driver.LaunchAsync(request with { LaunchToken = NewToken() }, token),
    };

    private static DriverMutant ForgetsEnded(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Launch = async (request, token) =>
        {
            var instance = await driver.LaunchAsync(request, token);
            return instance.State >= InstanceState.Terminating ? await driver.LaunchAsync(request with { LaunchToken = NewToken() }, token) : instance;
        },
    };

    private static DriverMutant ForgetsOldTokens(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Launch = (request, token) =>
        {
            var known = fixture.Cloud.Instances.Select(instance => instance.LaunchToken).ToList();
            var isOld = known.IndexOf(request.LaunchToken) is var index && index >= 0 && index < known.Count - 8;
            return driver.LaunchAsync(isOld ? request with { LaunchToken = NewToken() } : request, token);
        },
    };

    private static DriverMutant NewTokenAfterCancellation(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Launch = async (request, token) =>
        {
            var own = fixture.Shared.GetValueOrDefault(request.LaunchToken, request.LaunchToken);
            try
            {
                return await driver.LaunchAsync(request with { LaunchToken = own }, token);
            }
            catch (OperationCanceledException)
            {
                fixture.Shared[request.LaunchToken] = NewToken();
                throw;
            }
        },
    };

    private static DriverMutant NewTokenAfterFailure(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Launch = async (request, token) =>
        {
            try
            {
                return await driver.LaunchAsync(request, token);
            }
            catch (DriverException error) when (error.Kind == DriverErrorKind.Transient)
            {
                return await driver.LaunchAsync(request with { LaunchToken = NewToken() }, token);
            }
        },
    };

    private static DriverMutant ListsItsOwnLaunches(ConformanceFixture fixture, ICellDriver driver)
    {
        var launched = new ConcurrentDictionary<string, bool>();
        return new(driver)
        {
            Launch = async (request, token) =>
            {
                var instance = await driver.LaunchAsync(request, token);
                launched[instance.Id] = true;
                return instance;
            },
            List = async token => [.. (await driver.ListAsync(token)).Where(instance => launched.ContainsKey(instance.Id))],
        };
    }

    private static DriverMutant CannotRepeat(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Terminate = async (ids, token) =>
        {
            var ending = (await driver.ListAsync(token)).FirstOrDefault(i => ids.Contains(i.Id) && i.State >= InstanceState.Terminating);
            if (ending is not null)
            {
                throw new DriverException(DriverErrorKind.NotFound, $"{ending.Id} has ended.");
            }

            await driver.TerminateAsync(ids, token);
        },
    };

    private static DriverMutant UnknownIsAnError(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Terminate = async (ids, token) =>
        {
            var known = (await driver.ListAsync(token)).Select(instance => instance.Id);
            if (ids.Except(known).Any())
            {
                throw new DriverException(DriverErrorKind.NotFound, "No such instance.");
            }

            await driver.TerminateAsync(ids, token);
        },
    };

    private static DriverMutant StopsAtUnknown(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Terminate = async (ids, token) =>
        {
            var known = (await driver.ListAsync(token)).Select(instance => instance.Id).ToHashSet();
            await driver.TerminateAsync([.. ids.TakeWhile(known.Contains)], token);
        },
    };

    private static DriverMutant TerminatesAnybodys(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Terminate = async (ids, token) =>
        {
            foreach (var instance in fixture.Cloud.Instances.Where(instance => ids.Contains(instance.Instance.Id)))
            {
                await fixture.Cloud.CreateDriver(instance.Instance.Tags[InstanceTags.ControllerId]).TerminateAsync([instance.Instance.Id], token);
            }
        },
    };

    private static DriverMutant NotWhileItBoots(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Terminate = async (ids, token) =>
        {
            var running = (await driver.ListAsync(token)).Where(instance => instance.State == InstanceState.Running).Select(instance => instance.Id);
            await driver.TerminateAsync([.. ids.Intersect(running)], token);
        },
    };

    private static DriverMutant ComesBack(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        List = async token => [.. (await driver.ListAsync(token)).Select(
            instance => instance.State == InstanceState.Terminated && Count(fixture, instance.Id) > 3
                ? instance with { State = InstanceState.Running, StateReason = null }
                : instance)],
    };

    private static DriverMutant IgnoresCancellation(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Catalog = async _ =>
        {
            await Task.Delay(TimeSpan.FromSeconds(10), fixture.Clock, CancellationToken.None);
            return await driver.GetCatalogAsync(CancellationToken.None);
        },
    };

    private static Instance MakeStranger() => new()
    {
        Id = "i-stranger",
        State = InstanceState.Running,
        InstanceType = "sim.nano",
        Zone = "sim-1a",
        Tags = new Dictionary<string, string>(),
        LaunchedAt = default,
    };
}
