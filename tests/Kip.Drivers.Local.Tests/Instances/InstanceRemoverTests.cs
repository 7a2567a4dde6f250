using System.Diagnostics;
using Kip.Drivers.Local.Instances;
using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Tests.Instances;

public sealed class InstanceRemoverTests : IAsyncLifetime
{
    private readonly TestMachine _machine = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _machine.DisposeAsync();

    [RootFact]
    public async Task TerminateAsync_RunningCell_LeavesNothing()
    {
        var driver = _machine.Driver();
        var forwarding = await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_forward");
        var id = (await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;
        await _machine.ContainerdReadyAsync(_machine.Cell(id).ReadInit()!.Id);
        Assert.Equal("1", (await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_forward")).Trim());
        Assert.NotEqual([], await _machine.LeftoversAsync());

        await driver.TerminateAsync([id], TestMachine.Limit);

        Assert.Empty(await _machine.LeftoversAsync());
        Assert.Equal(InstanceState.Terminated, (await TestMachine.GetAsync(driver, id)).State);
        // Other tests may have bridges now; without any, the setting is what it was.
        Assert.True(Local.Networking.Bridge.AnyOnThisMachine() || await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_forward") == forwarding || forwarding.Trim() == "1");
    }

    [RootFact]
    public async Task TerminateAsync_TwiceAtOnceAndAgain_IsNoError()
    {
        var id = (await _machine.Driver().LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => _machine.Driver().TerminateAsync([id], TestMachine.Limit))));
        await _machine.Driver().TerminateAsync([id, "i-unknown", "../../etc"], TestMachine.Limit);

        Assert.Empty(await _machine.LeftoversAsync());
    }

    [RootFact]
    public async Task TerminateAsync_AnyOfItsProcessesKilledBefore_LeavesNothing()
    {
        var driver = _machine.Driver();
        foreach (var victim in new[] { "init", "containerd", "busybox", "sh" })
        {
            var id = (await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;
            var init = _machine.Cell(id).ReadInit()!.Id;
            await _machine.ContainerdReadyAsync(init);
            await _machine.AskAgentAsync(await TestMachine.GetAsync(driver, id), "arguments");
            var victims = victim == "init" ? [init] : TestMachine.ProcessesOf(id, victim);
            Assert.NotEmpty(victims);
            victims.ForEach(ProcessIdentity.Kill);

            await driver.TerminateAsync([id], TestMachine.Limit);

            Assert.Empty(await _machine.LeftoversAsync());
        }
    }

    [RootFact]
    public async Task TerminateAsync_InitKilled_IsListedWithTheReasonAndRemovedByTheNextCall()
    {
        var driver = _machine.Driver();
        var id = (await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;
        ProcessIdentity.Kill(_machine.Cell(id).ReadInit()!.Id);
        await _machine.Eventually("the kill is noticed", async () => (await TestMachine.GetAsync(driver, id)).State == InstanceState.Terminated);

        await driver.TerminateAsync([], TestMachine.Limit);

        Assert.Equal("the cell's first process ended", (await TestMachine.GetAsync(driver, id)).StateReason);
        Assert.Empty(await _machine.LeftoversAsync());
    }

    [RootFact]
    public async Task TerminateAsync_LauncherKilledAfterAnyStep_LeavesNothing()
    {
        var driver = _machine.Driver();
        string[] steps = ["directory being written", "directory", "control groups", "first process, not noted", "first process, not connected", "link"];
        for (var last = 0; last < steps.Length; last++)
        {
            var token = TestMachine.NewToken();
            var store = new InstanceStore(_machine.State, TestMachine.Controller, TimeProvider.System);
            var id = store.InstanceId(token);
            var draft = store.GetDraft(id);
            Directory.CreateDirectory(Path.GetDirectoryName(draft.Path)!);
            draft.Write(Record(id), "{}", "", "", null);
            Process? init = null;
            if (last >= 1)
            {
                store.Publish(draft);
            }

            if (last >= 2)
            {
                Cgroups.OfThisMachine().Create(id, new LocalCatalog(64, 1L << 40).Find("local.nano"));
            }

            if (last >= 3)
            {
                var join = string.Join(' ', Directory.GetDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup")
                    .Select(group => Path.Combine(group, "kip", id, "system", "cgroup.procs")).Where(File.Exists));
                init = Process.Start("sh", ["-c", $"for group in {join}; do echo 0 >$group; done; exec sleep 1000"]);
                await _machine.Eventually("the process has joined", () => Cgroups.OfThisMachine().Processes(id).Count > 0
                    && TestMachine.ProcessesOf(id, "sleep").Count > 0);
            }

            if (last >= 4)
            {
                _machine.Cell(id).WriteInit(ProcessIdentity.Find(init!.Id)!);
            }

            if (last >= 5)
            {
                Assert.Equal(0, (await TestMachine.RunAsync(null, "ip", "link", "add", InstanceLauncher.LinkName(id), "type", "bridge")).Status);
            }

            if (last == 0)
            {
                // Nobody knows of it yet, but it holds user data.
                Assert.Empty(await driver.ListAsync(TestMachine.Limit));
                await driver.TerminateAsync([], TestMachine.Limit);
                Assert.Empty(Directory.GetDirectories(Path.GetDirectoryName(draft.Path)!));
            }
            else
            {
                Assert.Equal(last < 4 ? InstanceState.Terminated : InstanceState.Running, (await TestMachine.GetAsync(driver, id)).State);
                Assert.Equal(id, (await driver.LaunchAsync(TestMachine.Request(token), TestMachine.Limit)).Id);
                await driver.TerminateAsync([id], TestMachine.Limit);
            }

            var left = await _machine.LeftoversAsync();
            Assert.True(left.Count == 0, $"killed after \"{steps[last]}\": {string.Join("; ", left)}");
            init?.Dispose();
        }
    }

    [RootFact]
    public async Task ListAsync_LaunchUnderWay_IsPending()
    {
        var store = new InstanceStore(_machine.State, TestMachine.Controller, TimeProvider.System);
        var cell = store.Get(store.InstanceId(TestMachine.NewToken()));
        cell.Write(Record(cell.Id), "{}", "", "", null);
        using (FileLock.TryAcquire(cell.LockFile))
        {
            Assert.Equal(InstanceState.Pending, (await TestMachine.GetAsync(_machine.Driver(), cell.Id)).State);
        }

        Assert.Equal(InstanceState.Terminated, (await TestMachine.GetAsync(_machine.Driver(), cell.Id)).State);
    }

    private static InstanceRecord Record(string id) => new()
    {
        Id = id,
        InstanceType = "local.nano",
        Zone = LocalCatalog.Zone,
        Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = TestMachine.Controller },
        Address = "10.0.0.1",
        PodAddress = "10.0.0.2",
        LaunchedAt = DateTimeOffset.UnixEpoch,
    };
}
