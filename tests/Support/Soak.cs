using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Tests.Support;

/// <summary>
/// Pods come at a steady rate and go, on a simulated cloud where all that can fail does at random, in virtual time. A pod that never came
/// to its cell is given another one, as the node does it.
/// </summary>
internal sealed class Soak : IDisposable
{
    private const double CallFaults = 0.03;
    private const int MostTries = 100;

    private static readonly TimeSpan TroubleInterval = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly Random _random;
    private readonly TimeSpan _duration;
    private readonly TimeSpan _podInterval;
    private readonly ConcurrentDictionary<string, TimeSpan> _unlaunched = new(StringComparer.Ordinal);
    private readonly List<double> _toLaunch = [];
    private readonly List<double> _toRunning = [];
    private readonly Dictionary<string, int> _ends = new(StringComparer.Ordinal);
    private readonly SimulatedCloud _cloud;

    /// <param name="seed">Of all that is random.</param>
    /// <param name="duration">How long pods come.</param>
    /// <param name="podsPerSecond">How many.</param>
    public Soak(int seed, TimeSpan duration, double podsPerSecond)
    {
        (_random, _duration, _podInterval) = (new Random(seed), duration, TimeSpan.FromSeconds(1 / podsPerSecond));
        _cloud = new SimulatedCloud(Clock, new SimulatedCloudOptions
        {
            KeepsHistory = false,
            RateLimits = new Dictionary<CloudAction, RateLimit>
            {
                [CloudAction.Launch] = new(2 * podsPerSecond, 50),
                [CloudAction.Terminate] = new(5, 100),
                [CloudAction.List] = new(20, 100),
            },
            InstanceLimit = new RateLimit(2 * podsPerSecond, 1000),
            ListLag = TimeSpan.FromSeconds(3),
            StateLag = TimeSpan.FromSeconds(2),
            Plan = _ => PlanInstance(),
            Script = _ => new PodScript { Default = new ContainerScript { RunTime = TimeSpan.FromSeconds(Draw(10, 110)) } },
            Faults = FailSometimes,
        });
        _cloud.SetCapacity("sim.nano", "sim-1a", CapacityType.OnDemand, (int)(25 * podsPerSecond));
        _cloud.SetCapacity("sim.nano", "sim-1b", CapacityType.OnDemand, (int)(15 * podsPerSecond));
    }

    public VirtualClock Clock { get; } = new();

    /// <summary>Pods that were made.</summary>
    public int Pods { get; private set; }

    /// <summary>How the pods ended, and how often: their phase, or the reason of a failure.</summary>
    public IReadOnlyDictionary<string, int> Ends => _ends;

    /// <summary>Seconds from a pod's coming to its first launch call, sorted once the run is over.</summary>
    public IReadOnlyList<double> ToLaunch => _toLaunch;

    /// <summary>Seconds from a pod's coming to Running, sorted once the run is over.</summary>
    public IReadOnlyList<double> ToRunning => _toRunning;

    /// <summary>Calls that the cloud refused as too many; those that it was told to refuse are among them.</summary>
    public int Throttled => Enum.GetValues<CloudAction>().Sum(action => _cloud.CountCalls(action, nameof(DriverErrorKind.Throttled)));

    /// <summary>Launches and terminations.</summary>
    public int ChangingCalls => _cloud.CountCalls(CloudAction.Launch) + _cloud.CountCalls(CloudAction.Terminate);

    /// <summary>Instances that are alive.</summary>
    public int Alive => _cloud.Instances.Count(static i => i.IsAlive);

    /// <summary>What may never be, in words.</summary>
    public IReadOnlyList<string> Violations => _cloud.Violations;

    /// <summary>Records that are left.</summary>
    public int Records { get; private set; }

    public void Dispose() => _cloud.Dispose();

    /// <summary>Runs until every pod has ended and every cell is gone.</summary>
    /// <param name="interval">How often <paramref name="onInterval"/> is called.</param>
    /// <param name="onInterval">Given the virtual time and the number of cells.</param>
    public Task RunAsync(TimeSpan interval, Action<TimeSpan, int> onInterval) => Clock.RunAsync(
        async () =>
        {
            var store = new MemoryCellStore();
            await using var manager = new CellManager(
                new CellManagerOptions { Owner = "soak", ControllerCa = "pem", BootTimeout = TimeSpan.FromMinutes(3), AgentLostTimeout = TimeSpan.FromMinutes(2) },
                _cloud.CreateDriver("soak"),
                store,
                _cloud.CreateConnector(),
                Clock,
                NullLogger<CellManager>.Instance);
            await manager.StartAsync(default);
            using var over = new CancellationTokenSource();
            var beside = new[] { MakeTroubleAsync(over.Token), WatchAsync(over.Token) };

            var pods = new List<Task>();
            for (var i = 1; Clock.Elapsed < _duration; i++)
            {
                pods.Add(RunPodAsync(manager, ++Pods));
                if (i % 1000 == 0)
                {
                    foreach (var ended in pods.Where(static p => p.IsCompleted))
                    {
                        await ended;
                    }

                    pods.RemoveAll(static p => p.IsCompleted);
                }

                await Task.Delay(_podInterval, Clock);
            }

            await Task.WhenAll(pods);
            await over.CancelAsync();
            await Task.WhenAll(beside);

            // Whatever has no record by now the collector finds: seen, a grace period later ended.
            await Task.Delay(TimeSpan.FromMinutes(5), Clock);
            Records = (await store.ListAsync(default)).Count;
            _toLaunch.Sort();
            _toRunning.Sort();

            async Task WatchAsync(CancellationToken cancellationToken)
            {
                using var timer = new PeriodicTimer(interval, Clock);
                while (await WaitAsync(timer, cancellationToken))
                {
                    onInterval(Clock.Elapsed, manager.Cells.Count);
                }
            }
        },
        TimeSpan.FromDays(1));

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken cancellationToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task RunPodAsync(CellManager manager, int number)
    {
        var pod = new Pod
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = $"pod-{number}", Uid = $"uid-{number}" },
            Spec = new PodSpec { RestartPolicy = RestartPolicy.Never, Containers = [new Container { Name = "main", Image = "busybox" }] },
        };
        var seen = Clock.Elapsed;
        _unlaunched[pod.Metadata.Name!] = seen;
        var stopped = Draw(0, 1) < 0.2 ? TimeSpan.FromSeconds(Draw(0, 120)) : (TimeSpan?)null;
        for (var tries = 1; ; tries++)
        {
            Cell cell;
            try
            {
                cell = await manager.RunPodAsync(pod, default);
            }
            catch (Exception e) when (e is CellException or DriverException && tries < MostTries)
            {
                await Task.Delay(TimeSpan.FromSeconds(Draw(5, 15)), Clock);
                continue;
            }

            var following = FollowAsync(cell, seen);
            if (stopped is { } after && await Task.WhenAny(cell.PodEnded, Task.Delay(after, Clock)) != cell.PodEnded)
            {
                await cell.StopPodAsync(TimeSpan.FromSeconds(10), default);
            }

            var status = await cell.PodEnded;
            await following;
            await cell.Gone;
            if (cell.Record.ClaimedAt is null && cell.Record.Reason != "Stopped" && tries < MostTries)
            {
                Count($"({cell.Record.Reason}, then another cell)");
                continue;
            }

            Count(status.Reason ?? status.Phase ?? "unknown");
            _unlaunched.TryRemove(pod.Metadata.Name!, out _);
            return;
        }
    }

    private async Task FollowAsync(Cell cell, TimeSpan seen)
    {
        await foreach (var update in cell.WatchAsync(default))
        {
            if (update.Status?.Phase == PodPhase.Running)
            {
                lock (_gate)
                {
                    _toRunning.Add((Clock.Elapsed - seen).TotalSeconds);
                }

                return;
            }
        }
    }

    private void Count(string end)
    {
        lock (_gate)
        {
            _ends[end] = _ends.GetValueOrDefault(end) + 1;
        }
    }

    private InstancePlan PlanInstance()
    {
        var kind = Draw(0, 1);
        var ready = kind < 0.005 ? (double?)null : kind < 0.1 ? Draw(60, 120) : Draw(15, 25);
        return new InstancePlan
        {
            AddressAfter = TimeSpan.FromSeconds(Draw(0, 1) < 0.8 ? 0 : Draw(0, 5)),
            RunningAfter = TimeSpan.FromSeconds(8),
            AgentReadyAfter = ready is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            TerminationTime = TimeSpan.FromSeconds(Draw(1, 30)),
        };
    }

    private CloudFault? FailSometimes(CloudCall call)
    {
        if (call.Request is { } request && _unlaunched.TryRemove(request.Tags[InstanceTags.PodName], out var seen))
        {
            lock (_gate)
            {
                _toLaunch.Add((Clock.Elapsed - seen).TotalSeconds);
            }
        }

        var fails = Draw(0, 1) < CallFaults;
        return !fails ? null : (int)Draw(0, 5) switch
        {
            0 when Draw(0, 1) < 0.3 => new CloudFault(DriverErrorKind.Throttled),
            1 => new CloudFault(DriverErrorKind.Transient),
            2 => CloudFault.LostAnswer,
            3 when call.Action == CloudAction.Launch && Draw(0, 1) < 0.05 => new CloudFault(DriverErrorKind.OutOfCapacity),
            4 when Draw(0, 1) < 0.05 => CloudFault.Hang,
            _ => null,
        };
    }

    private async Task MakeTroubleAsync(CancellationToken cancellationToken)
    {
        var silent = new Queue<(string Id, TimeSpan Until)>();
        using var timer = new PeriodicTimer(TroubleInterval, Clock);
        while (await WaitAsync(timer, cancellationToken))
        {
            var alive = _cloud.Instances.Where(static i => i.Instance.State == InstanceState.Running).Select(static i => i.Instance.Id).ToList();
            if (alive.Count > 0)
            {
                var victim = alive[(int)Draw(0, alive.Count)];
                switch ((int)Draw(0, 8))
                {
                    case 0:
                        _cloud.Kill(victim);
                        break;
                    case 1:
                        _cloud.Reclaim(victim, TimeSpan.FromSeconds(Draw(0, 120)));
                        break;
                    case 2:
                        _cloud.SetHanging(victim, true);
                        silent.Enqueue((victim, Clock.Elapsed + TimeSpan.FromSeconds(90)));
                        break;
                    case < 6:
                        _cloud.Disconnect(victim);
                        break;
                    default:
                        _cloud.RestartAgent(victim);
                        break;
                }
            }

            while (silent.TryPeek(out var next) && next.Until <= Clock.Elapsed)
            {
                silent.Dequeue();
                if (alive.Contains(next.Id))
                {
                    _cloud.SetHanging(next.Id, false);
                }
            }
        }
    }

    private double Draw(double least, double most)
    {
        lock (_random)
        {
            return least + (_random.NextDouble() * (most - least));
        }
    }
}
