using Kip.Drivers;

namespace Kip.Testing.Tests;

/// <summary>The conformance suite over a simulated cloud in virtual time.</summary>
internal sealed class ConformanceFixture : IDisposable
{
    public ConformanceFixture(SimulatedCloudOptions? options = null, Func<ConformanceFixture, ICellDriver, ICellDriver>? wrap = null)
    {
        Cloud = new SimulatedCloud(Clock, options ?? new SimulatedCloudOptions { Plan = _ => MakePlan() });
        Options = new DriverConformanceOptions
        {
            CreateDriver = id => wrap is null ? Cloud.CreateDriver(id) : wrap(this, Cloud.CreateDriver(id)),
            InstanceType = "sim.nano",
            Zone = "sim-1a",
            CallTimeout = TimeSpan.FromMinutes(2),
            RandomSteps = 150,
            FindRoute = (range, _) => Task.FromResult(Cloud.Routes.GetValueOrDefault(range)),
            CreateVolume = _ => Task.FromResult(Cloud.AddVolume("sim-1a")),
            FailNext = (action, fault) => Cloud.FailNext(action, fault),
            Seed = 1,
            TimeProvider = Clock,
        };
    }

    public VirtualClock Clock { get; } = new();

    public SimulatedCloud Cloud { get; }

    public DriverConformanceOptions Options { get; init; }

    /// <summary>What the mutants of one backend share.</summary>
    public Dictionary<string, string> Shared { get; } = [];

    public static InstancePlan MakePlan() => new()
    {
        AddressAfter = TimeSpan.FromSeconds(1),
        RunningAfter = TimeSpan.FromSeconds(20),
        TerminationTime = TimeSpan.FromSeconds(2),
    };

    public Task RunAsync(string check) =>
        Clock.RunAsync(() => DriverConformance.RunAsync(check, Options, CancellationToken.None), within: TimeSpan.FromDays(1));

    public async Task AssertNothingLeftAsync()
    {
        await Clock.AdvanceAsync(TimeSpan.FromMinutes(1));
        Assert.DoesNotContain(Cloud.Instances, instance => instance.IsAlive);
    }

    public void Dispose() => Cloud.Dispose();
}
