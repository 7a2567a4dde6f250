using System.Collections.Concurrent;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Xunit.Abstractions;

namespace Kip.Core.Tests.Cells.Crashes;

/// <summary>
/// Kills the controller at every call that it makes to store, cloud and agents, in stories that take it through all it does, and looks
/// whether the next process brings everything to its end: no instance left, no pod twice, no status lost, nothing stuck.
/// </summary>
public class CrashSearchTests(ITestOutputHelper output)
{
    private static readonly Story[] Stories =
    [
        new("one pod runs to its end", [new("a", Runs: 30)]),
        new("one pod is deleted while its cell boots", [new("a", Runs: 3000, DeletedAt: 1.5)]),
        new("one pod is deleted while it runs", [new("a", Runs: 3000, DeletedAt: 20)]),
        new("pods come one after the other", [new("a", Runs: 10), new("b", At: 3, Runs: 15), new("c", At: 9, Runs: 5)]),
        new("pods take standby cells", [new("a", At: 10, Runs: 20), new("b", At: 10, Runs: 25), new("c", At: 11, Runs: 5)]) { Standby = 2 },
        new("pods take standby cells that still boot", [new("a", At: 1, Runs: 20), new("b", At: 2, Runs: 3000, DeletedAt: 30)]) { Standby = 2 },
        new("the cheapest type is not to be had", [new("a", Runs: 10), new("b", At: 1, Runs: 10)]) { SoldOut = true },
        new("answers of the cloud are lost", [new("a", Runs: 10), new("b", At: 2, Runs: 10)])
        {
            Faults = call => call.Action is CloudAction.Launch or CloudAction.Terminate ? CloudFault.LostAnswer : null,
        },
        new("pods want the same volume", [new("a", Runs: 10), new("b", At: 2, Runs: 10)]) { Volume = "vol-1" },
        new("a pod with a volume is deleted", [new("a", Runs: 3000, DeletedAt: 15)]) { Volume = "vol-1" },
        new("instances die", [new("a", Runs: 3000), new("b", Runs: 30)]) { InstancesDie = true, Boot = static n => n == 1 ? new InstancePlan { DiesAfter = TimeSpan.FromSeconds(12) } : new() },
        new("a boot stalls", [new("a", Runs: 10)]) { KnowsBoots = true, Boot = static n => n == 1 ? InstancePlan.NeverBoots : new() },
        new("a boot that has stalled ends when its spare does", [new("a", Runs: 200)])
        {
            KnowsBoots = true,
            Boot = static n => n == 1 ? new InstancePlan { AgentReadyAfter = TimeSpan.FromSeconds(126) } : new(),
        },
        new("a pod is deleted while its cell has a spare", [new("a", Runs: 3000, DeletedAt: 124)])
        {
            KnowsBoots = true,
            Boot = static n => n == 1 ? InstancePlan.NeverBoots : new InstancePlan { AgentReadyAfter = TimeSpan.FromSeconds(10) },
        },
    ];

    [Fact]
    public async Task Controller_KilledAtEveryCall_LosesNothing_DoublesNothing_LeavesNothing()
    {
        var points = new ConcurrentDictionary<string, byte>();
        var runs = Stories.SelectMany(static _ => Enum.GetValues<Death>(), static (story, death) => (Story: story, Death: death)).ToList();
        await Parallel.ForEachAsync(runs, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (run, _) =>
        {
            // Most of a stalled boot, and of the wait for a volume, is one call again and again.
            for (var call = 0; await RunAndDieAsync(run.Story, clock => MortalProcess.DyingAtCall(call, run.Death, clock), $"killed at call {call}, {run.Death}") is { } point; call += run.Story.KnowsBoots ? 8 : run.Story.Volume is null ? 1 : 3)
            {
                points.TryAdd($"{run.Story.Name}: {point}, {run.Death}", 0);
            }
        });

        Tell(points.Keys);
        Assert.InRange(points.Count, 1000, int.MaxValue);
    }

    /// <summary>
    /// The same at points that nobody has listed: whenever code of the controller goes on after an await. There are too many to take all; each run
    /// takes others, spread over the whole story.
    /// </summary>
    [Fact]
    public async Task Controller_KilledWhereverItGoesOn_LosesNothing_DoublesNothing_LeavesNothing()
    {
        const int OfEachStory = 90;
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var points = new ConcurrentDictionary<string, byte>();
        await Parallel.ForEachAsync(Stories.Index(), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (told, _) =>
        {
            var (index, story) = told;
            var all = 0;
            Assert.Null(await RunAndDieAsync(story, clock => MortalProcess.DyingWhereItGoesOn(null, clock), "not killed", process => all = process.Points.Count));
            output.WriteLine($"{story.Name}: goes on at {all} points");
            var random = new Random(seed + index);
            var step = Math.Max(1.0, (double)all / OfEachStory);
            for (var begins = 0.0; begins < all; begins += step)
            {
                var point = 1 + (int)(begins + (random.NextDouble() * step));
                if (await RunAndDieAsync(story, clock => MortalProcess.DyingWhereItGoesOn(point, clock), $"killed where it goes on for the {point}. time, seed {seed}") is { } died)
                {
                    points.TryAdd($"{story.Name}: {died}", 0);
                }
            }
        });

        Tell(points.Keys);
        Assert.InRange(points.Count, 1000, int.MaxValue);
    }

    private void Tell(ICollection<string> points)
    {
        foreach (var byStory in points.GroupBy(static p => p[..p.IndexOf(':', StringComparison.Ordinal)]))
        {
            output.WriteLine($"{byStory.Key}: killed at {byStory.Count()} points");
        }

        output.WriteLine($"{points.Count} points in all");
    }

    /// <summary>Where the controller was killed; null when it lived to the end of the story.</summary>
    private static async Task<string?> RunAndDieAsync(Story story, Func<TimeProvider, MortalProcess> begin, string how, Action<MortalProcess>? lookAt = null)
    {
        await using var bench = await Bench.CreateAsync(story.Cloud());
        if (story.SoldOut)
        {
            bench.Cloud.SetCapacity("sim.nano", "sim-1a", CapacityType.OnDemand, 0);
        }

        var volume = story.Volume is { } id ? bench.Cloud.AddVolume("sim-1a", id) : null;
        using var process = begin(bench.Clock);
        var owner = new Owner(story, bench, volume);
        try
        {
            await bench.RunAsync(async () =>
            {
                var (first, told) = await process.Points.InsideAsync(async () =>
                {
                    var manager = await bench.StartAsync(
                        driver: d => new MortalDriver(d, process),
                        store: s => new MortalStore(s, process),
                        agents: a => new MortalConnector(a, process),
                        options: o => owner.Options(o, story.Standby, process));
                    for (var i = 0; i < 10 && story.KnowsBoots; i++)
                    {
                        manager.Boots.Add("sim.nano", TimeSpan.FromSeconds(2));
                    }

                    return (manager, owner.TellAsync(manager, process.Token));
                });
                await Task.WhenAny(process.Died, told);
                lookAt?.Invoke(process);
                var disposing = first.DisposeAsync();
                await process.BuryAsync();
                await disposing;
                await told.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

                var second = await bench.StartAsync(options: o => owner.Options(o, standby: 0, process: null));
                await owner.TellAsync(second, CancellationToken.None);
                await process.Sent;
                await bench.Clock.AdvanceUntilAsync(() => !bench.Alive.Any());
                await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(1));

                owner.AssertAllTold();
                await bench.AssertNothingLeftAsync();
                Assert.All(bench.Cloud.Volumes, static volume => Assert.Null(volume.AttachedTo));
            });
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new InvalidOperationException($"{story.Name}, {how} ({process.Point}): {e.Message}", e);
        }

        return process.Point;
    }

    private sealed record PodStory(string Name, double At = 0, double Runs = 10, double? DeletedAt = null)
    {
        public string Uid => $"uid-{Name}";
    }

    private sealed record Story(string Name, IReadOnlyList<PodStory> Pods)
    {
        public int Standby { get; init; }

        public bool SoldOut { get; init; }

        /// <summary>One that all pods use.</summary>
        public string? Volume { get; init; }

        public Func<CloudCall, CloudFault?>? Faults { get; init; }

        public bool InstancesDie { get; init; }

        /// <summary>How the n-th instance fares, from 1.</summary>
        public Func<int, InstancePlan>? Boot { get; init; }

        /// <summary>Whether boots were seen before, so that it is known when one has stalled.</summary>
        public bool KnowsBoots { get; init; }

        public SimulatedCloudOptions Cloud()
        {
            var launches = 0;
            var lost = new HashSet<string>();
            return new SimulatedCloudOptions
            {
                Script = pod => PodScript.RunsFor(TimeSpan.FromSeconds(Pods.Single(p => p.Uid == pod.Metadata.Uid).Runs), exitCode: 7),
                Plan = _ => Boot?.Invoke(Interlocked.Increment(ref launches)) ?? new(),
                // Each wish goes wrong once.
                Faults = Faults is { } faults
                    ? call =>
                    {
                        var key = call.Request?.LaunchToken ?? string.Join(',', call.InstanceIds);
                        lock (lost)
                        {
                            return faults(call) is { } fault && lost.Add($"{call.Action} {key}") ? fault : null;
                        }
                    }
                    : null,
            };
        }
    }

    /// <summary>What an API server and its users are to the controller: it knows the pods, and what became of them, over all processes.</summary>
    private sealed class Owner(Story story, Bench bench, PersistentVolume? volume)
    {
        private readonly ConcurrentDictionary<string, PodStatus> _told = new();

        public CellManagerOptions Options(CellManagerOptions options, int standby, MortalProcess? process) => options with
        {
            StandbyCells = standby > 0 ? [new StandbyCells("sim.nano", standby)] : [],
            BeforeForgotten = (cell, _) => process is null ? HearAsync(cell) : process.CallAsync($"tell the end of {cell.Pod.Name}", () => HearAsync(cell)),
        };

        public Task TellAsync(CellManager manager, CancellationToken process) => Task.WhenAll(story.Pods.Select(pod => TellAsync(pod, manager, process)));

        public void AssertAllTold()
        {
            foreach (var pod in story.Pods)
            {
                var ran = bench.Cloud.Instances.Count(i => i.PodUid == pod.Uid);
                if (_told.TryGetValue(pod.Uid, out var status))
                {
                    Assert.True(
                        pod.DeletedAt is not null || story.InstancesDie || status.ContainerStatuses?[0].State?.Terminated?.ExitCode == 7,
                        $"pod {pod.Name} ended as {status.Phase} ({status.Reason}: {status.Message})");
                    Assert.Equal(1, ran);
                }
                else
                {
                    Assert.True(pod.DeletedAt is not null, $"nothing is known of how pod {pod.Name} ended");
                }
            }
        }

        private Task HearAsync(Cell cell)
        {
            if (cell.Record is { ClaimedAt: not null, FinalStatus: { } final })
            {
                _told[cell.Pod.Uid] = final;
            }

            return Task.CompletedTask;
        }

        private async Task TellAsync(PodStory pod, CellManager manager, CancellationToken process)
        {
            await UntilAsync(pod.At, process);
            while (!_told.ContainsKey(pod.Uid))
            {
                process.ThrowIfCancellationRequested();
                if (IsPast(pod.DeletedAt) && manager.Find(pod.Uid) is null)
                {
                    return; // it was deleted before it had a cell
                }

                var cell = manager.Find(pod.Uid) is { Record.State: >= CellState.Terminating } ending
                    ? ending
                    : await manager.RunPodAsync(volume is null ? VolumeTests.With(pod.Name) : VolumeTests.With(pod.Name, volume), process);
                var deleting = pod.DeletedAt is { } at ? DeleteAsync(cell, at, process) : Task.CompletedTask;
                await cell.Gone.WaitAsync(process);
                await deleting;
            }
        }

        private async Task DeleteAsync(Cell cell, double at, CancellationToken process)
        {
            await Task.WhenAny(UntilAsync(at, process), cell.Gone);
            if (!cell.Gone.IsCompleted)
            {
                await cell.StopPodAsync(TimeSpan.FromSeconds(5), process);
            }
        }

        private bool IsPast(double? seconds) => seconds is { } s && bench.Clock.Elapsed >= TimeSpan.FromSeconds(s);

        private Task UntilAsync(double seconds, CancellationToken cancellationToken)
        {
            var left = TimeSpan.FromSeconds(seconds) - bench.Clock.Elapsed;
            return left > TimeSpan.Zero ? Task.Delay(left, bench.Clock, cancellationToken) : Task.CompletedTask;
        }
    }
}
