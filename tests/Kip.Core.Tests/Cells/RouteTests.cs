using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Sizing;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

public class RouteTests
{
    [Fact]
    public async Task Pod_WithCloudRoute_IsRoutedTo_UntilBeforeItsInstanceEnds()
    {
        await using var bench = await Bench.CreateAsync(Runs(60));
        await bench.RunAsync(async () =>
        {
            var router = new FakeRouter();
            var manager = await bench.StartAsync(driver: router.Around);
            var cell = await manager.RunPodAsync(Routed(), default);
            await EventAsync(cell, "SuccessfulRoute");
            var instance = cell.Record.InstanceId;
            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;

            Assert.Equal([$"route 10.9.0.0/16 10.10.0.0/16 to {instance}", $"unroute 10.9.0.0/16 10.10.0.0/16 from {instance}", $"terminate {instance}"], router.Calls);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Route_ThatFails_IsToldAndRepeated_WhileThePodRuns()
    {
        await using var bench = await Bench.CreateAsync(Runs(60));
        await bench.RunAsync(async () =>
        {
            var router = new FakeRouter { Failures = 2 };
            var manager = await bench.StartAsync(driver: router.Around);
            var cell = await manager.RunPodAsync(Routed(), default);

            Assert.Equal("10.9.0.0/16, 10.10.0.0/16: the table is somebody else's; tried again until it works", (await EventAsync(cell, "FailedRoute")).Message);
            await EventAsync(cell, "SuccessfulRoute");
            await cell.Gone;
            Assert.Equal(3, router.Calls.Count(static call => call.StartsWith("route", StringComparison.Ordinal)));
        });
    }

    [Fact]
    public async Task Host_StartedAnew_RoutesAgain()
    {
        await using var bench = await Bench.CreateAsync(Runs(600));
        await bench.RunAsync(async () =>
        {
            var router = new FakeRouter();
            var first = await bench.StartAsync(driver: router.Around);
            await EventAsync(await first.RunPodAsync(Routed(), default), "SuccessfulRoute");
            await first.DisposeAsync();

            var second = await bench.StartAsync(driver: router.Around);
            var cell = await second.RunPodAsync(Routed(), default);
            await cell.Gone;

            Assert.Equal(["route", "route", "unroute", "terminate"], router.Calls.Select(static call => call.Split(' ')[0]));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Unroute_ThatNeverSucceeds_KeepsNoCellThatCostsMoney()
    {
        await using var bench = await Bench.CreateAsync(Runs(10));
        await bench.RunAsync(async () =>
        {
            var router = new FakeRouter { IsStuck = true };
            var manager = await bench.StartAsync(driver: router.Around);
            var cell = await manager.RunPodAsync(Routed(), default);
            await cell.PodEnded;
            var ended = bench.Clock.Elapsed;
            await cell.Gone;

            Assert.InRange(bench.Clock.Elapsed - ended, TimeSpan.FromSeconds(25), TimeSpan.FromSeconds(90));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Pod_OnACloudThatCannotRoute_IsToldSo_AndRuns()
    {
        await using var bench = await Bench.CreateAsync(Runs(10));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Routed(), default);

            Assert.Equal("10.9.0.0/16, 10.10.0.0/16: the driver 'simulated' cannot route addresses to a cell", (await EventAsync(cell, "FailedRoute")).Message);
            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;
        });
    }

    private static SimulatedCloudOptions Runs(int seconds) => new() { Script = _ => PodScript.RunsFor(TimeSpan.FromSeconds(seconds)) };

    private static PodAssignment Routed()
    {
        var pod = Bench.NewPod();
        pod.Metadata.Annotations = new() { ["pod.elotl.co/cloud-route"] = "10.9.0.0/16 10.10.0.0/16" };
        return new PodAssignment(pod, null, []);
    }

    private static async Task<AgentEvent> EventAsync(Cell cell, string reason)
    {
        await foreach (var update in cell.WatchAsync(default))
        {
            if (update.Event is { } happened && happened.Reason == reason)
            {
                return happened;
            }
        }

        throw new InvalidOperationException($"{reason} did not happen");
    }

    /// <summary>Routes nothing, and remembers what it was asked.</summary>
    private sealed class FakeRouter
    {
        private readonly ConcurrentQueue<string> _calls = new();
        private int _failures;

        public IReadOnlyCollection<string> Calls => _calls;

        public int Failures { init => _failures = value; }

        public bool IsStuck { get; init; }

        public ICellDriver Around(ICellDriver driver) => new Driver(driver, this);

        private sealed class Driver(ICellDriver driver, FakeRouter router) : ICellDriver, ICellRouter
        {
            public DriverDescription Description => driver.Description;

            public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => driver.GetCatalogAsync(cancellationToken);

            public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => driver.ResolveImageAsync(reference, cancellationToken);

            public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) => driver.LaunchAsync(request, cancellationToken);

            public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => driver.ListAsync(cancellationToken);

            public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
            {
                router._calls.Enqueue($"terminate {string.Join(' ', instanceIds)}");
                return driver.TerminateAsync(instanceIds, cancellationToken);
            }

            public Task RouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken)
            {
                router._calls.Enqueue($"route {string.Join(' ', ranges)} to {instanceId}");
                return Interlocked.Decrement(ref router._failures) >= 0
                    ? throw new DriverException(DriverErrorKind.InvalidConfiguration, "the table is somebody else's")
                    : Task.CompletedTask;
            }

            public Task UnrouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken)
            {
                router._calls.Enqueue($"unroute {string.Join(' ', ranges)} from {instanceId}");
                return router.IsStuck ? throw new DriverException(DriverErrorKind.Transient, "not now") : Task.CompletedTask;
            }
        }
    }
}
