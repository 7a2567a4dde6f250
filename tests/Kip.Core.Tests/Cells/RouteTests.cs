using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.Testing.Tests;

namespace Kip.Core.Tests.Cells;

public class RouteTests
{
    [Fact]
    public async Task Pod_WithCloudRoute_IsRoutedTo_UntilBeforeItsInstanceEnds()
    {
        await using var bench = await Bench.CreateAsync(Runs(60));
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Routed(), default);
            await EventAsync(cell, "SuccessfulRoute");
            var instance = cell.Record.InstanceId!;
            Assert.Equal([("10.10.0.0/16", instance), ("10.9.0.0/16", instance)], bench.Cloud.Routes.Select(static r => (r.Key, r.Value)).Order());
            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;

            Assert.Equal([CloudAction.Route, CloudAction.Unroute, CloudAction.Terminate], Calls(bench));
            Assert.Empty(bench.Cloud.Routes);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Route_ThatFails_IsToldAndRepeated_WhileThePodRuns()
    {
        await using var bench = await Bench.CreateAsync(Runs(60));
        await bench.RunAsync(async () =>
        {
            bench.Cloud.FailNext(CloudAction.Route, new CloudFault(DriverErrorKind.InvalidConfiguration));
            bench.Cloud.FailNext(CloudAction.Route, new CloudFault(DriverErrorKind.InvalidConfiguration));
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Routed(), default);

            Assert.Equal("10.9.0.0/16, 10.10.0.0/16: Simulated failure of Route: InvalidConfiguration.; tried again until it works", (await EventAsync(cell, "FailedRoute")).Message);
            await EventAsync(cell, "SuccessfulRoute");
            await cell.Gone;
            Assert.Equal(3, bench.Cloud.CountCalls(CloudAction.Route));
        });
    }

    [Fact]
    public async Task Host_StartedAnew_RoutesAgain()
    {
        await using var bench = await Bench.CreateAsync(Runs(600));
        await bench.RunAsync(async () =>
        {
            var first = await bench.StartAsync();
            await EventAsync(await first.RunPodAsync(Routed(), default), "SuccessfulRoute");
            await first.DisposeAsync();

            var second = await bench.StartAsync();
            var cell = await second.RunPodAsync(Routed(), default);
            await cell.Gone;

            Assert.Equal([CloudAction.Route, CloudAction.Route, CloudAction.Unroute, CloudAction.Terminate], Calls(bench));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Unroute_ThatNeverSucceeds_KeepsNoCellThatCostsMoney()
    {
        await using var bench = await Bench.CreateAsync(
            Runs(10) with { Faults = static call => call.Action == CloudAction.Unroute ? new CloudFault(DriverErrorKind.Transient) : null });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
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
            var manager = await bench.StartAsync(driver: static driver => new BareDriver(driver));
            var cell = await manager.RunPodAsync(Routed(), default);

            Assert.Equal("10.9.0.0/16, 10.10.0.0/16: the driver 'simulated' cannot route addresses to a cell", (await EventAsync(cell, "FailedRoute")).Message);
            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;
        });
    }

    private static SimulatedCloudOptions Runs(int seconds) => new() { Script = _ => PodScript.RunsFor(TimeSpan.FromSeconds(seconds)) };

    private static IEnumerable<CloudAction> Calls(Bench bench) =>
        bench.Cloud.Calls.Select(static call => call.Action).Where(static action => action is CloudAction.Route or CloudAction.Unroute or CloudAction.Terminate);

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
}
