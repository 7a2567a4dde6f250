using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Sizing;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

/// <summary>Logins of the cloud's own registries, from the driver to the agent.</summary>
public class CloudLoginsTests
{
    private const string Host = "registry.cloud";

    private static readonly TimeSpan Life = TimeSpan.FromHours(12);

    [Fact]
    public async Task Pod_WithImagesOfTheCloudsRegistry_IsGivenItsLogin_AndItsOwnFirst()
    {
        var given = await RunAsync("{containers: [{name: main, image: registry.cloud/app}, {name: other, image: busybox}]}", TimeSpan.FromMinutes(1), own: [new("docker.io", "me", "secret")]);

        Assert.Equal([new("docker.io", "me", "secret"), new(Host, "cloud", "token-1")], given.Agents.Applied.First().Credentials);
        Assert.Equal([Host], given.Driver.Asked.Where(registry => registry == Host));
    }

    [Fact]
    public async Task Pod_WithALoginOfItsOwn_IsNotGivenTheClouds()
    {
        var given = await RunAsync("{containers: [{name: main, image: registry.cloud/app}]}", TimeSpan.FromMinutes(1), own: [new(Host, "me", "secret")]);

        Assert.Equal([new(Host, "me", "secret")], given.Agents.Applied.First().Credentials);
        Assert.Empty(given.Driver.Asked);
    }

    [Fact]
    public async Task Login_AtHalfOfItsLife_IsMadeAnewAndGivenToThePodThatRuns()
    {
        var given = await RunAsync("{containers: [{name: main, image: registry.cloud/app}]}", TimeSpan.FromHours(15));

        Assert.Equal(["token-1", "token-2", "token-3"], given.Agents.Applied.Select(assignment => assignment.Credentials.Single().Password));
        Assert.InRange(given.Agents.Times[1] - given.Agents.Times[0], Life / 2, (Life / 2) + TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Login_ThatCannotBeHad_IsExplainedOnce_AndTheImagePulledWithout_UntilItCan()
    {
        var given = await RunAsync("{containers: [{name: main, image: registry.cloud/app}]}", TimeSpan.FromMinutes(10), failures: 3);

        var told = Assert.Single(given.Updates, update => update.Event?.Reason == "FailedToRetrieveRegistryLogin");
        Assert.Equal(("Warning", "There is no login for some images, which are pulled without: registry.cloud: not allowed"), (told.Event!.Type, told.Event.Message));
        Assert.Equal([0, 1], given.Agents.Applied.Select(assignment => assignment.Credentials.Count));
        Assert.Equal(4, given.Driver.Asked.Count);
    }

    [Fact]
    public async Task Login_ThatCannotBeMadeAnew_IsKeptWhileItIsGood()
    {
        var given = await RunAsync("{containers: [{name: main, image: registry.cloud/app}]}", TimeSpan.FromHours(7), failures: int.MaxValue, failuresFrom: 1);

        Assert.Equal("token-1", Assert.Single(given.Agents.Applied).Credentials.Single().Password);
        Assert.DoesNotContain(given.Updates, update => update.Event?.Reason == "FailedToRetrieveRegistryLogin");
        Assert.InRange(given.Driver.Asked.Count, 30, 65);
    }

    [Fact]
    public async Task Login_ThatTheDriverIsLongAbout_HoldsThePodUpForTenSeconds()
    {
        var given = await RunAsync("{containers: [{name: main, image: registry.cloud/app}]}", TimeSpan.FromSeconds(40), hangs: true);

        var told = Assert.Single(given.Updates, update => update.Event?.Reason == "FailedToRetrieveRegistryLogin");
        Assert.EndsWith("there was no answer within 10 s", told.Event!.Message, StringComparison.Ordinal);
        Assert.Empty(given.Agents.Applied.First().Credentials);
    }

    [Fact]
    public async Task Cells_OfOneRegistry_ShareItsLogin()
    {
        await using var bench = await Bench.CreateAsync(Running(TimeSpan.FromMinutes(1)));
        await bench.RunAsync(async () =>
        {
            DriverWithLogins? driver = null;
            var manager = await bench.StartAsync(driver: inner => driver = new DriverWithLogins(inner, bench.Clock));

            var cells = await Task.WhenAll(Enumerable.Range(1, 20).Select(i => manager.RunPodAsync(Bench.NewPod($"pod-{i}", "{containers: [{name: main, image: registry.cloud/app}]}"), default)));
            await Task.WhenAll(cells.Select(cell => cell.Gone));

            Assert.Single(driver!.Asked);
        });
    }

    [Fact]
    public async Task StandbyCell_PullsItsImagesWithTheLogin()
    {
        await using var bench = await Bench.CreateAsync(Running(TimeSpan.FromMinutes(1)));
        await bench.RunAsync(async () =>
        {
            RecordingAgents? agents = null;
            await bench.StartAsync(
                driver: inner => new DriverWithLogins(inner, bench.Clock),
                agents: inner => agents = new RecordingAgents(inner, bench.Clock),
                options: plain => plain with { StandbyCells = [new StandbyCells("sim.nano", 1) { Images = ["registry.cloud/app:1"] }] });

            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(5));

            var (image, credentials) = Assert.Single(agents!.Pulled);
            Assert.Equal("registry.cloud/app:1", image);
            Assert.Equal([new(Host, "cloud", "token-1")], credentials);
        });
    }

    private static SimulatedCloudOptions Running(TimeSpan time) => new() { Script = _ => new PodScript { Default = new ContainerScript { RunTime = time } } };

    private static async Task<(DriverWithLogins Driver, RecordingAgents Agents, List<CellUpdate> Updates)> RunAsync(
        string spec, TimeSpan runTime, IReadOnlyList<RegistryCredential>? own = null, int failures = 0, int failuresFrom = 0, bool hangs = false)
    {
        await using var bench = await Bench.CreateAsync(Running(runTime));
        DriverWithLogins? driver = null;
        RecordingAgents? agents = null;
        List<CellUpdate> updates = [];
        await bench.Clock.RunAsync(
            async () =>
            {
                var manager = await bench.StartAsync(
                    driver: inner => driver = new DriverWithLogins(inner, bench.Clock) { Failures = failures, FailuresFrom = failuresFrom, Hangs = hangs },
                    agents: inner => agents = new RecordingAgents(inner, bench.Clock));
                var cell = await manager.RunPodAsync(new PodAssignment(Bench.NewPod(spec: spec), null, own ?? []), default);
                await foreach (var update in cell.WatchAsync(default))
                {
                    updates.Add(update);
                }
            },
            TimeSpan.FromHours(24));
        return (driver!, agents!, updates);
    }

    /// <summary>A driver whose cloud has a registry.</summary>
    private sealed class DriverWithLogins(ICellDriver inner, TimeProvider time) : ICellDriver, IRegistryLogins
    {
        private int _given;

        public ConcurrentQueue<string> Asked { get; } = new();

        public int Failures { get; init; }

        public int FailuresFrom { get; init; }

        public bool Hangs { get; init; }

        public DriverDescription Description => inner.Description;

        public async Task<RegistryLogin?> GetRegistryLoginAsync(string registry, CancellationToken cancellationToken)
        {
            if (registry != Host)
            {
                return null;
            }

            var number = Asked.Count;
            Asked.Enqueue(registry);
            if (Hangs)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
            }

            return number >= FailuresFrom && number - FailuresFrom < Failures
                ? throw new DriverException(DriverErrorKind.Unauthorized, "not allowed")
                : new RegistryLogin("cloud", $"token-{Interlocked.Increment(ref _given)}", time.GetUtcNow() + Life);
        }

        public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => inner.GetCatalogAsync(cancellationToken);

        public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => inner.ResolveImageAsync(reference, cancellationToken);

        public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) => inner.LaunchAsync(request, cancellationToken);

        public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

        public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) => inner.TerminateAsync(instanceIds, cancellationToken);
    }

    /// <summary>Remembers what agents are given.</summary>
    private sealed class RecordingAgents(ICellAgentConnector inner, TimeProvider time) : ICellAgentConnector
    {
        public List<PodAssignment> Applied { get; } = [];

        public List<DateTimeOffset> Times { get; } = [];

        public List<(string Image, IReadOnlyList<RegistryCredential> Credentials)> Pulled { get; } = [];

        public string GetEnrolmentToken(CellRecord cell) => inner.GetEnrolmentToken(cell);

        public async Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken) =>
            new Recording(await inner.ConnectAsync(cell, onStep, cancellationToken), this, time);
    }

    private sealed class Recording(ICellAgent inner, RecordingAgents agents, TimeProvider time) : ICellAgent
    {
        public string Instance => inner.Instance;

        public Task ApplyPodAsync(PodAssignment assignment, CancellationToken cancellationToken)
        {
            lock (agents)
            {
                agents.Applied.Add(assignment);
                agents.Times.Add(time.GetUtcNow());
            }

            return inner.ApplyPodAsync(assignment, cancellationToken);
        }

        public Task PullImageAsync(string image, IReadOnlyList<RegistryCredential> credentials, CancellationToken cancellationToken)
        {
            lock (agents)
            {
                agents.Pulled.Add((image, credentials));
            }

            return inner.PullImageAsync(image, credentials, cancellationToken);
        }

        public Task StopPodAsync(string podUid, TimeSpan gracePeriod, CancellationToken cancellationToken) => inner.StopPodAsync(podUid, gracePeriod, cancellationToken);

        public IAsyncEnumerable<AgentUpdate> WatchAsync(long afterEvent, CancellationToken cancellationToken) => inner.WatchAsync(afterEvent, cancellationToken);

        public IAsyncEnumerable<LogEntry> ReadLogsAsync(string podUid, LogQuery query, CancellationToken cancellationToken) => inner.ReadLogsAsync(podUid, query, cancellationToken);

        public Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken) => inner.ExecAsync(podUid, request, cancellationToken);

        public Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken) => inner.AttachAsync(podUid, request, cancellationToken);

        public Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken) => inner.ForwardPortAsync(podUid, port, cancellationToken);

        public Task<PodStatistics> GetStatisticsAsync(CancellationToken cancellationToken) => inner.GetStatisticsAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
