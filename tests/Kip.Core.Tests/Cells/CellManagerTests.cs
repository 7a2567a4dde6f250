using System.Text;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

public class CellManagerTests
{
    [Fact]
    public async Task RunPod_ThatSucceeds_GoesThroughTheStatesInOrderAndLeavesNothing()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            var updates = await ToListAsync(cell.WatchAsync(default));

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            Assert.Equal(
                [CellState.Planned, CellState.Booting, CellState.Claimed, CellState.Terminating, CellState.Gone],
                updates.Where(u => u.Kind == CellUpdateKind.State).Select(u => u.Cell.State));
            Assert.Contains(updates, u => u.Kind == CellUpdateKind.AgentEnrolled);
            Assert.Contains(updates, u => u.Event?.Reason == "Started");
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_Launch_IsMadeOnlyWhenTheIntentIsDurable_WithItsTokenAndAllTags()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            IReadOnlyList<CellRecord>? durable = null;
            var manager = await bench.StartAsync(driver: d => new HookedDriver(d)
            {
                BeforeLaunch = async _ => durable = await bench.Store.ListAsync(default),
            });

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await cell.Gone;

            var launch = Assert.Single(bench.Cloud.Calls, c => c.Action == CloudAction.Launch).Request!;
            var intent = Assert.Single(durable!);
            Assert.Equal((intent.LaunchToken, CellState.Planned), (launch.LaunchToken, intent.State));
            Assert.Equal(Bench.ControllerId, launch.Tags[InstanceTags.ControllerId]);
            Assert.Equal(intent.Id, launch.Tags[InstanceTags.CellId]);
            Assert.Equal(("default", "pod"), (launch.Tags[InstanceTags.PodNamespace], launch.Tags[InstanceTags.PodName]));
        });
    }

    [Fact]
    public async Task AfterPodEnded_CellStillAnswers_AndBeforeForgotten_KeepsTheRecord()
    {
        var options = new SimulatedCloudOptions { Script = _ => new PodScript { Default = new ContainerScript { RunTime = TimeSpan.FromSeconds(5), LogLines = ["last words"] } } };
        await using var bench = await Bench.CreateAsync(options);
        await bench.RunAsync(async () =>
        {
            var log = "";
            var records = -1;
            var manager = await bench.StartAsync(options: plain => plain with
            {
                AfterPodEnded = async (ended, ct) =>
                {
                    await foreach (var entry in ended.ReadLogsAsync(new LogQuery { Container = "main" }, ct))
                    {
                        log += System.Text.Encoding.UTF8.GetString(entry.Data.Span);
                    }
                },
                BeforeForgotten = async (ended, ct) =>
                {
                    Assert.Empty(bench.Alive);
                    await Task.Delay(TimeSpan.FromMinutes(1), bench.Clock, ct);
                    records = (await bench.Store.ListAsync(ct)).Count;
                },
            });

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await cell.Gone;

            Assert.Contains("last words", log, StringComparison.Ordinal);
            Assert.Equal(1, records);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Record_SaysWhetherThePodEverCameToItsCell()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Plan = _ => InstancePlan.NeverBoots });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var lost = await manager.RunPodAsync(Bench.NewPod("lost"), default);
            await lost.PodEnded;

            Assert.Equal(("BootTimeout", null), (lost.Record.Reason, lost.Record.ClaimedAt));
            Assert.Same(lost, manager.Find("uid-lost"));
            await lost.Gone;
        });
    }

    [Fact]
    public async Task RunPod_PicksTheCheapestTypeThatFitsPodAndCell()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            // 512 MiB is all that the smallest type has: with the cell's own share the pod needs the next one.
            var cell = await manager.RunPodAsync(
                Bench.NewPod(spec: "{containers: [{name: main, image: busybox, resources: {requests: {memory: 512Mi}}}]}"), default);

            Assert.Equal("sim.small", cell.Record.InstanceType);
            await cell.Gone;
        });
    }

    [Fact]
    public async Task RunPod_ThatNoTypeFits_SaysWhatWasAskedAndWhatThereIs()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var e = await Assert.ThrowsAsync<CellException>(() => manager.RunPodAsync(
                Bench.NewPod(spec: "{containers: [{name: main, image: busybox, resources: {requests: {cpu: 100}}}]}"), default));

            Assert.Contains("100 vCPU", e.Message, StringComparison.Ordinal);
            Assert.Contains("sim.large with 8 vCPU and 32 GiB", e.Message, StringComparison.Ordinal);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_LaunchWhoseAnswerIsLost_MakesOneInstance()
    {
        await using var bench = await Bench.CreateAsync();
        bench.Cloud.FailNext(CloudAction.Launch, CloudFault.LostAnswer, times: 3);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;
            Assert.Single(bench.Cloud.Instances);
            Assert.Equal(4, bench.Cloud.Calls.Count(c => c.Action == CloudAction.Launch));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_OutOfCapacity_TakesTheNextOfTheRankingWithANewToken()
    {
        await using var bench = await Bench.CreateAsync();
        bench.Cloud.SetCapacity("sim.nano", "sim-1a", CapacityType.OnDemand, 0);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await cell.Gone;

            Assert.Equal(("sim.nano", "sim-1b"), (cell.Record.InstanceType, cell.Record.Zone));
            var tokens = bench.Cloud.Calls.Where(c => c.Action == CloudAction.Launch).Select(c => c.Request!.LaunchToken).ToList();
            Assert.Equal(2, tokens.Distinct().Count());
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_AfterARefusal_SendsTheNextPodElsewhereAtOnceAndBackLater()
    {
        await using var bench = await Bench.CreateAsync();
        bench.Cloud.SetCapacity("sim.nano", "sim-1a", CapacityType.OnDemand, 0);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            await (await manager.RunPodAsync(Bench.NewPod("first"), default)).Gone;
            bench.Cloud.SetCapacity("sim.nano", "sim-1a", CapacityType.OnDemand, 10);

            var second = await manager.RunPodAsync(Bench.NewPod("second"), default);
            Assert.Equal("sim-1b", second.Record.Zone);
            await second.Gone;

            await Task.Delay(RefusalCache.CapacityLifetime, bench.Clock);
            var third = await manager.RunPodAsync(Bench.NewPod("third"), default);
            Assert.Equal("sim-1a", third.Record.Zone);
            await third.Gone;
        });
    }

    [Fact]
    public async Task RunPod_EverythingThatFitsWasRefused_SaysThatItIsTriedAgain()
    {
        await using var bench = await Bench.CreateAsync();
        foreach (var zone in new[] { "sim-1a", "sim-1b" })
        {
            bench.Cloud.SetCapacity("sim.large", zone, CapacityType.OnDemand, 0);
        }

        await bench.RunAsync(async () =>
        {
            const string Large = "{containers: [{name: main, image: busybox, resources: {requests: {cpu: 8}}}]}";
            var manager = await bench.StartAsync();
            await (await manager.RunPodAsync(Bench.NewPod("first", Large), default)).Gone;

            var e = await Assert.ThrowsAsync<CellException>(() => manager.RunPodAsync(Bench.NewPod("second", Large), default));

            Assert.Equal("OutOfCapacity", e.Reason);
            Assert.Contains("all 2 ways", e.Message, StringComparison.Ordinal);
        });
    }

    [Theory]
    [InlineData("launch-type", "spot", "sim.nano", "sim-1a", CapacityType.Spot)]
    [InlineData("instance-type", "sim.m*", "sim.medium", "sim-1a", CapacityType.OnDemand)]
    public async Task RunPod_Annotations_ChooseTheCell(string name, string value, string type, string zone, CapacityType capacityType)
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Annotated(name, value), default);

            Assert.Equal((type, zone, capacityType), (cell.Record.InstanceType, cell.Record.Zone, cell.Record.CapacityType));
            await cell.Gone;
        });
    }

    [Theory]
    [InlineData("launch-type", "dedicated", "Unsupported", "dedicated hosts are not to be had from simulated")]
    [InlineData("launch-type", "spott", "InvalidPod", "metadata.annotations[pod.elotl.co/launch-type]: Unsupported value")]
    [InlineData("instance-type", "sim.smal", "NoInstanceType", "did you mean sim.small?")]
    public async Task RunPod_AnnotationThatCannotBe_MakesNoCell(string name, string value, string reason, string message)
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var e = await Assert.ThrowsAsync<CellException>(() => manager.RunPodAsync(Annotated(name, value), default));

            Assert.Equal(reason, e.Reason);
            Assert.Contains(message, e.Message, StringComparison.Ordinal);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_ByTheGoKipsRule_TakesTheTypeThatItTook()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync(options: static o => o with { SizingRule = SizingRule.GoKip, DefaultInstanceType = "sim.medium" });

            // It counts neither init containers nor the cell's own share.
            var sized = await manager.RunPodAsync(
                Bench.NewPod("sized", "{initContainers: [{name: i, image: busybox, resources: {requests: {cpu: 4}}}], containers: [{name: main, image: busybox, resources: {requests: {memory: 512Mi}}}]}"),
                default);
            var plain = await manager.RunPodAsync(Bench.NewPod("plain"), default);

            Assert.Equal(("sim.nano", "sim.medium"), (sized.Record.InstanceType, plain.Record.InstanceType));
            await Task.WhenAll(sized.Gone, plain.Gone);
        });
    }

    [Fact]
    public async Task RunPod_NoCapacityAnywhere_FailsThePodWithTheReason()
    {
        await using var bench = await Bench.CreateAsync();
        bench.Cloud.FailNext(CloudAction.Launch, new CloudFault(DriverErrorKind.OutOfCapacity), times: 100);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            var status = await cell.PodEnded;
            await cell.Gone;

            Assert.Equal((PodPhase.Failed, "LaunchFailed"), (status.Phase, status.Reason));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_AgentNeverReady_FailsAfterTheBootTimeoutAndTerminates()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Plan = _ => InstancePlan.NeverBoots });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            var status = await cell.PodEnded;
            await cell.Gone;

            Assert.Equal((PodPhase.Failed, "BootTimeout"), (status.Phase, status.Reason));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_InstanceDiesUnderThePod_FailsThePodAsLost()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions
        {
            Script = _ => PodScript.Forever,
            Plan = _ => new InstancePlan { DiesAfter = TimeSpan.FromMinutes(3), DeathReason = "hardware failure" },
        });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            var status = await cell.PodEnded;
            await cell.Gone;

            Assert.Equal((PodPhase.Failed, "CellLost"), (status.Phase, status.Reason));
            Assert.Contains("hardware failure", status.Message, StringComparison.Ordinal);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_RefusedByTheAgent_FailsWithTheAgentsWords()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => new PodScript { Refusal = "spec.volumes is not supported" } });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            var status = await cell.PodEnded;
            await cell.Gone;

            Assert.Equal(("PodRefused", "spec.volumes is not supported"), (status.Reason, status.Message));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Theory]
    [InlineData("disconnect")]
    [InlineData("restart")]
    public async Task RunPod_AgentLostForAMoment_ThePodGoesOn(string what)
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.RunsFor(TimeSpan.FromMinutes(10)) });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await UntilAsync(cell, u => u.Event?.Reason == "Started");

            var instance = Assert.Single(bench.Alive).Instance.Id;
            if (what == "disconnect")
            {
                bench.Cloud.Disconnect(instance);
            }
            else
            {
                bench.Cloud.RestartAgent(instance);
            }

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;
            Assert.Single(bench.Cloud.Instances);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_ClockSetOnWhileTheAgentIsAway_ThePodGoesOn()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.RunsFor(TimeSpan.FromMinutes(10)) });
        await bench.RunAsync(async () =>
        {
            var time = new WrongTime(bench.Clock);
            var manager = await bench.StartAsync(time: time);
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await UntilAsync(cell, u => u.Event?.Reason == "Started");

            var instance = Assert.Single(bench.Alive).Instance.Id;
            bench.Cloud.SetHanging(instance, true);
            time.Offset = TimeSpan.FromHours(3);
            await bench.Clock.AdvanceAsync(TimeSpan.FromMinutes(2));
            bench.Cloud.SetHanging(instance, false);

            Assert.Equal(PodPhase.Succeeded, (await cell.PodEnded).Phase);
            await cell.Gone;
            Assert.Single(bench.Cloud.Instances);
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_AgentHangsForGood_FailsThePodAsLost()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.Forever });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await UntilAsync(cell, u => u.Event?.Reason == "Started");

            bench.Cloud.SetHanging(Assert.Single(bench.Alive).Instance.Id, true);

            Assert.Equal("CellLost", (await cell.PodEnded).Reason);
            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task StopPod_Running_IsGraceful()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.Forever });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await UntilAsync(cell, u => u.Event?.Reason == "Started");

            await cell.StopPodAsync(null, default);

            var status = await cell.PodEnded;
            Assert.Equal(143, status.ContainerStatuses![0].State!.Terminated!.ExitCode);
            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task StopPod_BeforeItHasStarted_StartsNothing()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.Forever });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            await cell.StopPodAsync(null, default);

            Assert.Equal("Stopped", (await cell.PodEnded).Reason);
            await cell.Gone;
            Assert.All(bench.Cloud.Instances, i => Assert.Null(i.PodUid));
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task StopPod_AgentOutOfReach_TerminatesTheCellWhenTheTimeIsUp()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.Forever });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await UntilAsync(cell, u => u.Event?.Reason == "Started");
            bench.Cloud.SetHanging(Assert.Single(bench.Alive).Instance.Id, true);

            var stopping = cell.StopPodAsync(TimeSpan.FromSeconds(20), default);

            Assert.Equal("StopTimeout", (await cell.PodEnded).Reason);
            await cell.Gone;
            await stopping;
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Terminate_FailingForAnHour_IsRepeatedUntilTheInstanceIsGone()
    {
        await using var bench = await Bench.CreateAsync();
        bench.Cloud.FailNext(CloudAction.Terminate, new CloudFault(DriverErrorKind.Transient), times: 50);
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            await cell.Gone;

            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task RunPod_SameUidTwice_IsTheSameCell()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.RunsFor(TimeSpan.FromMinutes(1)) });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var first = await manager.RunPodAsync(Bench.NewPod(), default);
            var second = await manager.RunPodAsync(Bench.NewPod(), default);

            Assert.Same(first, second);
            await first.Gone;
            Assert.Single(bench.Cloud.Instances);
        });
    }

    [Fact]
    public async Task RunPod_SameUidFromAnotherOwner_Conflicts()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.RunsFor(TimeSpan.FromMinutes(1)) });
        await bench.RunAsync(async () =>
        {
            var mine = await bench.StartAsync("mine");
            var theirs = await bench.StartAsync("theirs");
            var cell = await mine.RunPodAsync(Bench.NewPod(), default);

            await Assert.ThrowsAsync<CellConflictException>(() => theirs.RunPodAsync(Bench.NewPod(), default));

            await cell.Gone;
            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Sessions_OfAPod_WaitForItsCell_AndFailOnceItHasEnded()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions
        {
            Script = _ => new PodScript { Default = new ContainerScript { RunTime = TimeSpan.FromMinutes(1) } },
        });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            Assert.NotNull(await cell.GetStatisticsAsync(default));
            await foreach (var update in cell.WatchAsync(default))
            {
                if (update.Status is { Phase: "Running" })
                {
                    break;
                }
            }

            // A simulated container has no processes; that its agent says so shows that it was asked.
            var exec = new ExecRequest { Container = "main", Command = ["true"] };
            var refused = await Assert.ThrowsAsync<AgentException>(() => cell.ExecAsync(exec, default));
            Assert.Equal(AgentErrorKind.Refused, refused.Kind);
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => cell.ForwardPortAsync(65536, default));
            await cell.PodEnded;
            foreach (var ask in (Func<Task>[])[
                () => cell.ExecAsync(exec, default),
                () => cell.AttachAsync(new AttachRequest { Container = "main" }, default),
                () => cell.ForwardPortAsync(80, default),
                () => cell.GetStatisticsAsync(default)])
            {
                var ended = await Assert.ThrowsAsync<AgentException>(ask);
                Assert.Equal((AgentErrorKind.NotFound, "pod default/pod has ended"), (ended.Kind, ended.Message));
            }

            await cell.Gone;
        });
    }

    [Fact]
    public async Task ReadLogs_OfAPodThatEndsAtOnce_GivesEveryLineBeforeTheCellGoes()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions
        {
            Script = _ => new PodScript { Default = new ContainerScript { LogLines = ["one", "two", "three"] } },
        });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);

            var text = new StringBuilder();
            await foreach (var entry in cell.ReadLogsAsync(new LogQuery { Container = "main", Follow = true }, default))
            {
                text.Append(Encoding.UTF8.GetString(entry.Data.Span).TrimEnd('\n')).Append('|');
            }

            Assert.Equal("one|two|three|", text.ToString());
            await cell.Gone;
        });
    }

    [Fact]
    public async Task ReadLogs_OverALostConnection_GivesEachLineOnce()
    {
        var lines = Enumerable.Range(0, 60).Select(i => $"line {i}").ToList();
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions
        {
            Script = _ => new PodScript { Default = new ContainerScript { RunTime = TimeSpan.FromMinutes(1), LogLines = lines } },
        });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            var read = new List<string>();
            await foreach (var entry in cell.ReadLogsAsync(new LogQuery { Container = "main", Follow = true }, default))
            {
                read.Add(Encoding.UTF8.GetString(entry.Data.Span).TrimEnd('\n'));
                if (read.Count is 10 or 30)
                {
                    bench.Cloud.Disconnect(Assert.Single(bench.Alive).Instance.Id);
                }
            }

            Assert.Equal(lines, read);
            await cell.Gone;
        });
    }

    [Fact]
    public async Task ReadLogs_ByAReaderThatDoesNotRead_KeepsTheCellForTheDrainTimeOnly()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions
        {
            Script = _ => new PodScript { Default = new ContainerScript { LogLines = ["one", "two"] } },
        });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();
            var cell = await manager.RunPodAsync(Bench.NewPod(), default);
            await using var reader = cell.ReadLogsAsync(new LogQuery { Container = "main", Follow = true }, default).GetAsyncEnumerator();
            Assert.True(await reader.MoveNextAsync());

            await cell.Gone;

            await bench.AssertNothingLeftAsync();
        });
    }

    [Fact]
    public async Task Collect_InstanceInNoRecord_IsTerminatedAfterTheGracePeriod_AForeignOneNever()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var leaked = bench.Cloud.Plant(new Dictionary<string, string> { [InstanceTags.ControllerId] = Bench.ControllerId, [InstanceTags.CellId] = "cell-gone" });
            var foreign = bench.Cloud.Plant(new Dictionary<string, string> { [InstanceTags.ControllerId] = "another", [InstanceTags.CellId] = "cell-gone" });
            var untagged = bench.Cloud.Plant(new Dictionary<string, string>());
            await bench.StartAsync();

            await Task.Delay(TimeSpan.FromSeconds(50), bench.Clock);
            Assert.Contains(bench.Alive, i => i.Instance.Id == leaked);
            await Task.Delay(TimeSpan.FromMinutes(10), bench.Clock);

            Assert.Equal(new[] { foreign, untagged }.Order(), bench.Alive.Select(i => i.Instance.Id).Order());
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task Collect_WhenItOnlyReports_LeavesInstancesInNoRecordAlone()
    {
        await using var bench = await Bench.CreateAsync();
        await bench.RunAsync(async () =>
        {
            var leaked = bench.Cloud.Plant(new Dictionary<string, string> { [InstanceTags.ControllerId] = Bench.ControllerId, [InstanceTags.CellId] = "cell-gone" });
            await bench.StartAsync(options: static o => o with { TerminatesOrphans = false });

            await Task.Delay(TimeSpan.FromMinutes(10), bench.Clock);

            Assert.Equal(leaked, Assert.Single(bench.Alive).Instance.Id);
        });
    }

    [Fact]
    public async Task Collect_AbandonedRecords_AreEndedAndNoOthers()
    {
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions { Script = _ => PodScript.Forever });
        await bench.RunAsync(async () =>
        {
            var dead = await bench.StartAsync("dead");
            var left = await dead.RunPodAsync(Bench.NewPod("left"), default);
            await UntilAsync(left, u => u.Event?.Reason == "Started");
            await dead.DisposeAsync();
            var living = await bench.StartAsync("living");
            var mine = await living.RunPodAsync(Bench.NewPod("mine"), default);
            await UntilAsync(mine, u => u.Event?.Reason == "Started");

            var (cells, _) = await living.CollectAsync(r => r.Owner == "dead", default);

            Assert.Equal(left.Record.Id, Assert.Single(cells).Id);
            Assert.Equal(mine.Record.Id, Assert.Single(await bench.Store.ListAsync(default)).Id);
            Assert.Equal(mine.Record.InstanceId, Assert.Single(bench.Alive).Instance.Id);
            Assert.Empty(bench.Cloud.Violations);
        });
    }

    [Fact]
    public async Task RunPod_TwoHundredAtOnceUnderThrottlingAndFaults_AllSucceedAndNothingIsLeft()
    {
        const int pods = 200;
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        await using var bench = await Bench.CreateAsync(new SimulatedCloudOptions
        {
            RateLimits = new Dictionary<CloudAction, RateLimit> { [CloudAction.Launch] = new(5, 20), [CloudAction.Terminate] = new(5, 20) },
            TellsLimits = false,
            Faults = call =>
            {
                lock (random)
                {
                    return call.Action switch
                    {
                        CloudAction.Launch when random.Next(10) == 0 => CloudFault.LostAnswer,
                        CloudAction.Terminate or CloudAction.List when random.Next(10) == 0 => new CloudFault(DriverErrorKind.Transient),
                        _ => null,
                    };
                }
            },
        });
        await bench.RunAsync(async () =>
        {
            var manager = await bench.StartAsync();

            var cells = await Task.WhenAll(Enumerable.Range(0, pods).Select(i => manager.RunPodAsync(Bench.NewPod($"pod-{i}"), default)));
            var ends = await Task.WhenAll(cells.Select(c => c.PodEnded));
            await Task.WhenAll(cells.Select(c => c.Gone));

            Assert.True(ends.All(s => s.Phase == PodPhase.Succeeded), $"seed {seed}: {ends.FirstOrDefault(s => s.Phase != PodPhase.Succeeded)?.Message}");
            Assert.Equal(pods, bench.Cloud.Instances.Count);
            await bench.AssertNothingLeftAsync();
        });
    }

    internal static async Task<List<CellUpdate>> ToListAsync(IAsyncEnumerable<CellUpdate> updates)
    {
        var list = new List<CellUpdate>();
        await foreach (var update in updates)
        {
            list.Add(update);
        }

        return list;
    }

    internal static async Task UntilAsync(Cell cell, Func<CellUpdate, bool> condition)
    {
        await foreach (var update in cell.WatchAsync(default))
        {
            if (condition(update))
            {
                return;
            }
        }

        Assert.Fail($"{cell.Record.Id} was gone ({cell.Record.Reason}: {cell.Record.Message}) before what was waited for happened");
    }

    private static Pod Annotated(string name, string value)
    {
        var pod = Bench.NewPod();
        pod.Metadata.Annotations = new() { ["pod.elotl.co/" + name] = value };
        return pod;
    }
}

internal sealed class HookedDriver(ICellDriver inner) : ICellDriver
{
    public Func<LaunchRequest, Task> BeforeLaunch { get; init; } = _ => Task.CompletedTask;

    public DriverDescription Description => inner.Description;

    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => inner.GetCatalogAsync(cancellationToken);

    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => inner.ResolveImageAsync(reference, cancellationToken);

    public async Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        await BeforeLaunch(request);
        return await inner.LaunchAsync(request, cancellationToken);
    }

    public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) => inner.TerminateAsync(instanceIds, cancellationToken);
}
