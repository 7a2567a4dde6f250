using System.Diagnostics;
using System.Net.NetworkInformation;
using Xunit.Abstractions;

namespace Kip.Drivers.Local.Tests;

public sealed class LocalDriverTests(ITestOutputHelper output) : IAsyncLifetime
{
    private readonly TestMachine _machine = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _machine.DisposeAsync();

    [RootFact]
    public async Task LaunchAsync_NewCell_RunsAndIsReachable()
    {
        var driver = _machine.Driver();
        var start = Stopwatch.GetTimestamp();

        var id = (await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;

        output.WriteLine($"launched in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
        var instance = await TestMachine.GetAsync(driver, id);
        Assert.Equal(InstanceState.Running, instance.State);
        Assert.Equal("cell-1", instance.Tags[InstanceTags.CellId]);
        Assert.NotEqual(instance.Address, instance.PodAddress);
        await _machine.ContainerdReadyAsync(_machine.Cell(id).ReadInit()!.Id);
        output.WriteLine($"containerd ready after {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
        Assert.Contains($"--cgroup-parent /kip/{id}/pods", await _machine.AskAgentAsync(instance, "arguments"), StringComparison.Ordinal);
        Assert.Equal("""{"cellId":"test"}""", await _machine.AskAgentAsync(instance, "user-data"));
        using var ping = new Ping();
        Assert.Equal(IPStatus.Success, (await ping.SendPingAsync(instance.Address!, 10_000)).Status);
    }

    [RootFact]
    public async Task LaunchAsync_TokenUsedBefore_ReturnsSameInstanceFromAnyDriverAndAfterItsEnd()
    {
        var request = TestMachine.Request();
        var first = await _machine.Driver().LaunchAsync(request, TestMachine.Limit);

        Assert.Equal(first.Id, (await _machine.Driver().LaunchAsync(request, TestMachine.Limit)).Id);
        Assert.Single(await _machine.Driver().ListAsync(TestMachine.Limit));

        await _machine.Driver().TerminateAsync([first.Id], TestMachine.Limit);
        Assert.Equal(first.Id, (await _machine.Driver().LaunchAsync(request, TestMachine.Limit)).Id);
        Assert.Equal(InstanceState.Terminated, (await TestMachine.GetAsync(_machine.Driver(), first.Id)).State);
        Assert.Empty(await _machine.LeftoversAsync());
    }

    [RootFact]
    public async Task LaunchAsync_TwentyAtOnceFromTwoDrivers_AllRunWithDistinctAddresses()
    {
        LocalDriver[] drivers = [_machine.Driver(), _machine.Driver()];

        var launched = await Task.WhenAll(Enumerable.Range(0, 20).Select(number =>
            Task.Run(() => drivers[number % 2].LaunchAsync(TestMachine.Request(), TestMachine.Limit))));

        var instances = await drivers[0].ListAsync(TestMachine.Limit);
        Assert.Equal(20, launched.Select(instance => instance.Id).Distinct().Count());
        Assert.All(instances, instance => Assert.Equal(InstanceState.Running, instance.State));
        Assert.Equal(40, instances.SelectMany(instance => new[] { instance.Address, instance.PodAddress }).Distinct().Count());
        await Task.WhenAll(instances.Select(instance => _machine.AskAgentAsync(instance, "arguments")));
        await drivers[1].TerminateAsync([.. instances.Select(instance => instance.Id)], TestMachine.Limit);
        Assert.Empty(await _machine.LeftoversAsync());
    }

    [RootFact]
    public async Task LaunchAsync_SameTokenManyTimesAtOnce_MakesOneCell()
    {
        var request = TestMachine.Request();

        var launched = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
            Task.Run(() => _machine.Driver().LaunchAsync(request, TestMachine.Limit))));

        Assert.Single(launched.Select(instance => instance.Id).Distinct());
        Assert.Single(await _machine.Driver().ListAsync(TestMachine.Limit));
    }

    [RootFact]
    public async Task LaunchAsync_RangeIsUsedUp_SaysOutOfCapacityAndLeavesNothing()
    {
        var driver = _machine.Driver(_machine.Options() with { Cidr = _machine.Cidr.Replace("/24", "/29", StringComparison.Ordinal) });
        await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit);
        await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit);

        var exception = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit));

        Assert.Equal(DriverErrorKind.OutOfCapacity, exception.Kind);
        Assert.Contains("Cidr", exception.Message, StringComparison.Ordinal);
        Assert.Equal(2, (await driver.ListAsync(TestMachine.Limit)).Count);
    }

    [RootFact]
    public async Task LaunchAsync_CancelledAtAnyMoment_LeavesNothingOrACell()
    {
        var driver = _machine.Driver();
        for (var milliseconds = 0; milliseconds < 100; milliseconds += 5)
        {
            using var cancellation = new CancellationTokenSource(milliseconds);
            try
            {
                var id = (await driver.LaunchAsync(TestMachine.Request(), cancellation.Token)).Id;
                await driver.TerminateAsync([id], TestMachine.Limit);
            }
            catch (OperationCanceledException)
            {
                Assert.All(await driver.ListAsync(TestMachine.Limit), instance => Assert.Equal(InstanceState.Terminated, instance.State));
            }

            Assert.Empty(await _machine.LeftoversAsync());
        }
    }

    [RootFact]
    public async Task LaunchAsync_CellCannotMakeItsDisk_CellEndsWithTheReason()
    {
        var driver = _machine.Driver();
        var state = _machine.State;
        Directory.CreateDirectory(state);
        // Room for the cell's small files, not for the disk's metadata.
        Assert.Equal(0, (await TestMachine.RunAsync(null, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", state)).Status);
        try
        {
            var id = (await driver.LaunchAsync(TestMachine.Request() with { DiskBytes = 8L << 30 }, TestMachine.Limit)).Id;

            await _machine.Eventually("the cell gives up", async () => (await TestMachine.GetAsync(driver, id)).State == InstanceState.Terminated);

            Assert.Contains("cannot make the cell's disk", (await TestMachine.GetAsync(driver, id)).StateReason, StringComparison.Ordinal);
        }
        finally
        {
            await driver.TerminateAsync([.. (await driver.ListAsync(TestMachine.Limit)).Select(instance => instance.Id)], TestMachine.Limit);
            await TestMachine.RunAsync(null, "umount", state);
        }
    }

    [RootFact]
    public async Task LaunchAsync_HostDiskFull_SaysSoAndLeavesNothing()
    {
        Directory.CreateDirectory(_machine.State);
        Assert.Equal(0, (await TestMachine.RunAsync(null, "mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", _machine.State)).Status);
        try
        {
            var exception = await Assert.ThrowsAsync<DriverException>(() =>
                _machine.Driver().LaunchAsync(TestMachine.Request() with { UserData = new string('x', 16384) }, TestMachine.Limit));

            Assert.Equal(DriverErrorKind.Transient, exception.Kind);
            Assert.Contains(_machine.State, exception.Message, StringComparison.Ordinal);
            Assert.Empty(await _machine.Driver().ListAsync(TestMachine.Limit));
        }
        finally
        {
            await TestMachine.RunAsync(null, "umount", _machine.State);
        }
    }

    [RootFact]
    public async Task LaunchAsync_CidrOverlapsAnotherBridge_NamesItAndTheOption()
    {
        await using var other = new TestMachine();
        await _machine.Driver().LaunchAsync(TestMachine.Request(), TestMachine.Limit);
        var driver = other.Driver(other.Options() with { Cidr = _machine.Cidr });

        var exception = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, exception.Kind);
        Assert.Contains(_machine.Bridge, exception.Message, StringComparison.Ordinal);
        Assert.Contains("Cidr", exception.Message, StringComparison.Ordinal);
        Assert.Empty(await other.LeftoversAsync());
    }

    [RootFact]
    public async Task LaunchAsync_BridgeOfAnotherStateDirectory_IsRefusedAndNotTouched()
    {
        await using var other = new TestMachine();
        var id = (await _machine.Driver().LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;
        var driver = other.Driver(other.Options() with { Bridge = _machine.Bridge });

        var exception = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, exception.Kind);
        Assert.Contains("another Bridge", exception.Message, StringComparison.Ordinal);
        await _machine.AskAgentAsync(await TestMachine.GetAsync(_machine.Driver(), id), "arguments");
    }

    [RootFact]
    public async Task LaunchAsync_BridgeNameIsAForeignBridge_IsRefusedAndNotTouched()
    {
        Assert.Equal(0, (await TestMachine.RunAsync(null, "ip", "link", "add", _machine.Bridge, "type", "bridge")).Status);
        try
        {
            var exception = await Assert.ThrowsAsync<DriverException>(() =>
                _machine.Driver().LaunchAsync(TestMachine.Request(), TestMachine.Limit));

            Assert.Equal(DriverErrorKind.InvalidConfiguration, exception.Kind);
            Assert.True(Directory.Exists($"/sys/class/net/{_machine.Bridge}"));
        }
        finally
        {
            await TestMachine.RunAsync(null, "ip", "link", "del", _machine.Bridge);
        }
    }

    [Fact]
    public async Task LaunchAsync_NotRoot_SaysWhatToDo()
    {
        var driver = new LocalDriver(
            _machine.Options(), TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<LocalDriver>.Instance, new LocalCatalog(64, 1L << 40), () => false);

        var exception = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit));

        Assert.Equal(DriverErrorKind.Unauthorized, exception.Kind);
        Assert.Contains("sudo", exception.Message, StringComparison.Ordinal);
    }

    [RootFact]
    public async Task LaunchAsync_AgentMissing_NamesIt()
    {
        var driver = _machine.Driver(_machine.Options() with { AgentPath = "/nowhere/kip-agent" });

        var exception = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, exception.Kind);
        Assert.Contains("/nowhere/kip-agent", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("type", DriverErrorKind.Unsupported)]
    [InlineData("zone", DriverErrorKind.Unsupported)]
    [InlineData("image", DriverErrorKind.NotFound)]
    [InlineData("disk", DriverErrorKind.InvalidConfiguration)]
    [InlineData("token", DriverErrorKind.InvalidConfiguration)]
    [InlineData("tags", DriverErrorKind.InvalidConfiguration)]
    public async Task LaunchAsync_WrongRequest_IsRefused(string wrong, DriverErrorKind kind)
    {
        var good = TestMachine.Request();
        var request = wrong switch
        {
            "type" => good with { InstanceType = "local.huge" },
            "zone" => good with { Zone = "local-b" },
            "image" => good with { ImageId = "ami-1" },
            "disk" => good with { DiskBytes = 1L << 50 },
            "token" => good with { LaunchToken = "../../../../../../../../../tmp/xx" },
            _ => TestMachine.Request(controller: "controller-b"),
        };

        var exception = await Assert.ThrowsAsync<DriverException>(() => _machine.Driver().LaunchAsync(request, TestMachine.Limit));

        Assert.Equal(kind, exception.Kind);
        Assert.False(Directory.Exists(_machine.State));
    }

    [RootFact]
    public async Task ListAsync_TwoControllers_EachSeesAndEndsOnlyItsOwn()
    {
        var (a, b) = (_machine.Driver(), _machine.Driver("controller-b"));
        var ofA = (await a.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;
        var ofB = (await b.LaunchAsync(TestMachine.Request(controller: "controller-b"), TestMachine.Limit)).Id;

        Assert.Equal(ofA, Assert.Single(await a.ListAsync(TestMachine.Limit)).Id);
        Assert.Equal(ofB, Assert.Single(await b.ListAsync(TestMachine.Limit)).Id);

        await a.TerminateAsync([ofA, ofB], TestMachine.Limit);
        Assert.Equal(InstanceState.Running, (await TestMachine.GetAsync(b, ofB)).State);
    }

    [RootFact]
    public async Task ListAsync_RecordUnreadable_ListsThatCellAndTheOthers()
    {
        var driver = _machine.Driver();
        var good = (await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;
        var bad = (await driver.LaunchAsync(TestMachine.Request(), TestMachine.Limit)).Id;
        File.WriteAllText(_machine.Cell(bad).RecordFile, "{ torn");

        Assert.Equal(InstanceState.Running, (await TestMachine.GetAsync(driver, good)).State);
        var unreadable = await TestMachine.GetAsync(driver, bad);
        Assert.Equal(InstanceState.Running, unreadable.State);
        Assert.Contains("instance.json", unreadable.StateReason, StringComparison.Ordinal);
        Assert.Equal(TestMachine.Controller, unreadable.Tags[InstanceTags.ControllerId]);

        await driver.TerminateAsync([bad], TestMachine.Limit);
        Assert.Equal(InstanceState.Terminated, (await TestMachine.GetAsync(driver, bad)).State);
        Assert.Equal(InstanceState.Running, (await TestMachine.GetAsync(driver, good)).State);
    }

    [Fact]
    public async Task ListAsync_NothingEverLaunched_IsEmpty() => Assert.Empty(await _machine.Driver().ListAsync(TestMachine.Limit));

    [Theory]
    [InlineData("bridge-with-a-long-name", "10.1.0.0/16", "/tmp/x")]
    [InlineData("a b", "10.1.0.0/16", "/tmp/x")]
    [InlineData("kip0", "10.1.0.0", "/tmp/x")]
    [InlineData("kip0", "10.1.0.0/30", "/tmp/x")]
    [InlineData("kip0", "fd00::/64", "/tmp/x")]
    [InlineData("kip0", "10.1.0.0/16", "/run/kip")]
    public void Constructor_WrongOption_IsRefused(string bridge, string cidr, string state)
    {
        var exception = Assert.Throws<DriverException>(() =>
            _machine.Driver(_machine.Options() with { Bridge = bridge, Cidr = cidr, StateDirectory = state }));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, exception.Kind);
    }
}
