using Kip.Drivers;
using Xunit.Abstractions;

namespace Kip.Testing.Tests;

public sealed class DriverConformanceTests(ITestOutputHelper output)
{
    public static TheoryData<string> CheckNames => [.. All.Select(check => check.Name)];

    private static IEnumerable<DriverCheck> All => [.. DriverConformance.Checks, .. DriverConformance.VolumeChecks, .. DriverConformance.RouteChecks];

    public static TheoryData<string, string> MutantNames
    {
        get
        {
            var names = new TheoryData<string, string>();
            foreach (var (check, mutant, _) in DriverMutants.All)
            {
                names.Add(check, mutant);
            }

            return names;
        }
    }

    [Theory]
    [MemberData(nameof(CheckNames))]
    public async Task RunAsync_OfSimulatedCloud_PassesAndLeavesNothing(string check)
    {
        using var fixture = new ConformanceFixture();
        await fixture.RunAsync(check);
        await fixture.AssertNothingLeftAsync();
    }

    [Theory]
    [MemberData(nameof(CheckNames))]
    public async Task RunAsync_OfUnreliableCloud_Passes(string check)
    {
        // Three calls in twenty fail, evenly spread, so that no call can meet a fault at each of the suite's eight tries.
        var calls = 0;
        using var fixture = new ConformanceFixture(new SimulatedCloudOptions
        {
            Plan = _ => ConformanceFixture.MakePlan(),
            RateLimits = new Dictionary<CloudAction, RateLimit> { [CloudAction.List] = new(10, 10) },
            Faults = _ => (Interlocked.Increment(ref calls) % 20) switch
            {
                3 => CloudFault.LostAnswer,
                9 => new CloudFault(DriverErrorKind.Transient),
                16 => new CloudFault(DriverErrorKind.Throttled),
                _ => null,
            },
        });
        await fixture.RunAsync(check);
    }

    [Theory]
    [MemberData(nameof(MutantNames))]
    public async Task RunAsync_OfDriverThatBreaksTheRule_Fails(string check, string mutant)
    {
        var wrap = DriverMutants.All.Single(entry => (entry.Check, entry.Mutant) == (check, mutant)).Wrap;
        using var fixture = new ConformanceFixture(wrap: wrap);

        var error = await Assert.ThrowsAsync<DriverConformanceException>(() => fixture.RunAsync(check));

        Assert.Contains("Expected: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("Found: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(error.Rule, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Checks_All_AreBrokenBySomeDriver()
    {
        var broken = DriverMutants.All.Select(entry => entry.Check).ToHashSet();
        Assert.Empty(All.Select(check => check.Name).Except(broken));
        Assert.Empty(broken.Except(All.Select(check => check.Name)));
    }

    [Fact]
    public void Checks_All_HaveDistinctNames() =>
        Assert.Equal(All.Count(), All.Select(check => check.Name).Distinct().Count());

    [Theory]
    [InlineData("Token_Repeated_ReturnsTheSameInstance", "ignores the token")]
    [InlineData("List_OfTwoControllers_ShowsEachItsOwn", "lists everything")]
    [InlineData("Launch_Always_IsListedAsAskedFor", "loses a tag")]
    public async Task RunAsync_ThatFails_LeavesNothing(string check, string mutant)
    {
        var wrap = DriverMutants.All.Single(entry => (entry.Check, entry.Mutant) == (check, mutant)).Wrap;
        using var fixture = new ConformanceFixture(wrap: wrap);
        await Assert.ThrowsAsync<DriverConformanceException>(() => fixture.RunAsync(check));
        await fixture.AssertNothingLeftAsync();
    }

    [Fact]
    public async Task RunAsync_ThatIsCancelled_LeavesNothing()
    {
        using var fixture = new ConformanceFixture();
        using var source = new CancellationTokenSource(TimeSpan.FromSeconds(5), fixture.Clock);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fixture.Clock.RunAsync(
            () => DriverConformance.RunAsync("Random_SequenceOfCalls_AgreesWithTheModel", fixture.Options, source.Token)));

        Assert.NotEmpty(fixture.Cloud.Instances);
        await fixture.AssertNothingLeftAsync();
    }

    [Fact]
    public async Task RunAsync_OfRandomSequenceThatFails_NamesSeedAndStep()
    {
        var wrap = DriverMutants.All.First(entry => entry.Check == "Random_SequenceOfCalls_AgreesWithTheModel").Wrap;
        using var fixture = new ConformanceFixture(wrap: wrap);
        var error = await Assert.ThrowsAsync<DriverConformanceException>(() => fixture.RunAsync("Random_SequenceOfCalls_AgreesWithTheModel"));
        Assert.Matches("step [0-9]+ of the random sequence with seed 1;", error.Message);
    }

    [Theory]
    [InlineData("Token_Repeated_ReturnsTheSameInstance", "ignores the token", 2)]
    [InlineData("Token_RepeatedByAnotherProcess_ReturnsTheSameInstance", "remembers tokens in memory only", 3)]
    [InlineData("Token_RepeatedAfterTermination_MakesNothingNew", "forgets ended instances", 3)]
    [InlineData("Cancellation_OfLaunch_SettlesToOneInstance", "takes a new token after a cancellation", 3)]
    [InlineData("Random_SequenceOfCalls_AgreesWithTheModel", "takes a new token after a failure", 3)]
    [InlineData("Launch_Always_IsListedAsAskedFor", "never listed", 2)]
    [InlineData("List_OfTwoControllers_ShowsEachItsOwn", "lists everything", 3)]
    [InlineData("List_ByAnotherProcess_ShowsTheSame", "lists what it launched itself", 3)]
    [InlineData("Terminate_Unknown_IsNoError", "unknown is an error", 2)]
    [InlineData("Terminate_Unknown_IsNoError", "stops at the unknown", 3)]
    [InlineData("Terminate_OfAnotherController_TouchesNothing", "terminates anybody's", 3)]
    [InlineData("Terminate_ManyAtOnce_EndsThemAndOnlyThem", "ends all it has", 4)]
    [InlineData("Terminate_RightAfterLaunch_EndsTheInstance", "not while it boots", 3)]
    public async Task RunAsync_OfRandomSequenceThatFails_IsShrunkToFewSteps(string check, string mutant, int most)
    {
        var wrap = DriverMutants.All.Single(entry => (entry.Check, entry.Mutant) == (check, mutant)).Wrap;
        using var fixture = new ConformanceFixture(wrap: wrap);

        var error = await Assert.ThrowsAsync<DriverConformanceException>(() => fixture.RunAsync("Random_SequenceOfCalls_AgreesWithTheModel"));

        output.WriteLine(error.Message);
        Assert.InRange(error.Message.Split('\n').Count(static line => line.StartsWith("  ", StringComparison.Ordinal)), 1, most);
    }

    [Fact]
    public async Task RunAsync_OfRandomSequencesWithManySeeds_AgreesWithTheModel()
    {
        var first = Random.Shared.Next();
        for (var seed = first; seed < first + 20; seed++)
        {
            output.WriteLine($"seed {seed}");
            using var fixture = new ConformanceFixture();
            await fixture.Clock.RunAsync(
                () => DriverConformance.RunAsync("Random_SequenceOfCalls_AgreesWithTheModel", fixture.Options with { Seed = seed }, CancellationToken.None),
                within: TimeSpan.FromDays(1));
            await fixture.AssertNothingLeftAsync();
        }
    }

    [Fact]
    public async Task RunAllAsync_WithFailureAndSkip_ReportsEachCheckOnce()
    {
        using var fixture = new ConformanceFixture(
            wrap: DriverMutants.All.Single(entry => entry.Mutant == "resolves any image").Wrap);
        var options = fixture.Options with
        {
            Skip = new Dictionary<string, string> { ["Random_SequenceOfCalls_AgreesWithTheModel"] = "takes too long" },
        };
        List<DriverCheckResult> reported = [];
        IReadOnlyList<DriverCheckResult> results = [];
        await fixture.Clock.RunAsync(
            async () => results = await DriverConformance.RunAllAsync(options, reported.Add, CancellationToken.None), within: TimeSpan.FromDays(1));

        Assert.Equal(results, reported);
        Assert.Equal(All, results.Select(result => result.Check));
        Assert.Equal("ResolveImage_Unknown_IsNotFound", Assert.Single(results, result => result.Error is not null).Check.Name);
        Assert.Equal("takes too long", Assert.Single(results, result => result.SkipReason is not null).SkipReason);
        Assert.Equal(All.Count() - 2, results.Count(result => result.Passed));
    }

    [Fact]
    public async Task RunAllAsync_WithUnknownNameToSkip_IsRefused()
    {
        using var fixture = new ConformanceFixture();
        var options = fixture.Options with { Skip = new Dictionary<string, string> { ["No_Such_Check"] = "" } };
        await Assert.ThrowsAsync<ArgumentException>(() => DriverConformance.RunAllAsync(options, null, CancellationToken.None));
    }
}
