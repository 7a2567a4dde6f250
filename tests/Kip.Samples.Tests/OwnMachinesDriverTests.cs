using Kip.Drivers;
using Kip.Samples.OwnMachines;
using Kip.Testing;

namespace Kip.Samples.Tests;

/// <summary>The rules that hold for every driver, and what is this one's own: a machine is had by one, and comes back.</summary>
public sealed class OwnMachinesDriverTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kip-own-machines-").FullName;
    private readonly FakeInstaller _installer = new();

    public static TheoryData<string> Names => [.. DriverConformance.Checks.Select(check => check.Name)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory, MemberData(nameof(Names))]
    public Task Driver_Always_Conforms(string check) => DriverConformance.RunAsync(
        check,
        new DriverConformanceOptions
        {
            CreateDriver = id => Driver(id, machines: 40),
            InstanceType = "small",
            Zone = "rack-1",
            WatchTime = TimeSpan.FromSeconds(1),
            PollInterval = TimeSpan.FromMilliseconds(20),
        },
        CancellationToken.None);

    [Fact]
    public async Task Launch_AllMachinesTaken_OutOfCapacityUntilOneIsWiped()
    {
        var driver = Driver("one", machines: 1);
        var first = await driver.LaunchAsync(Request("one", "aa"), CancellationToken.None);

        var refused = await Assert.ThrowsAsync<DriverException>(() => Driver("two", machines: 1).LaunchAsync(Request("two", "bb"), CancellationToken.None));
        Assert.Equal(DriverErrorKind.OutOfCapacity, refused.Kind);

        await driver.TerminateAsync([first.Id], CancellationToken.None);
        var second = await Driver("two", machines: 1).LaunchAsync(Request("two", "bb"), CancellationToken.None);
        Assert.Equal(["install m0", "wipe m0", "install m0"], _installer.Calls);
        Assert.NotEqual(first.Id, second.Id);
    }

    [Fact]
    public async Task Launch_InstallFails_MachineIsKeptForTheSameTokenAndInstalledAgain()
    {
        var driver = Driver("one", machines: 2);
        _installer.Fails = true;
        var failure = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(Request("one", "aa"), CancellationToken.None));
        Assert.Equal((DriverErrorKind.Transient, "m0 could not be set up: no answer"), (failure.Kind, failure.Message));
        Assert.Equal(InstanceState.Pending, Assert.Single(await driver.ListAsync(CancellationToken.None)).State);

        _installer.Fails = false;
        var instance = await Driver("one", machines: 2).LaunchAsync(Request("one", "aa"), CancellationToken.None);
        Assert.Equal(InstanceState.Running, instance.State);
        Assert.Equal(["install m0", "install m0"], _installer.Calls);
    }

    private OwnMachinesDriver Driver(string id, int machines) => new(
        id,
        [.. Enumerable.Range(0, machines).Select(i => new OwnMachine($"m{i}", "small", "rack-1", $"10.0.0.{i + 1}", 2000, 4L << 30, 100L << 30))],
        _folder,
        _installer,
        TimeProvider.System);

    private static LaunchRequest Request(string controller, string token) => new()
    {
        LaunchToken = token,
        InstanceType = "small",
        Zone = "rack-1",
        ImageId = OwnMachinesDriver.Image,
        DiskBytes = 1L << 30,
        UserData = "{}",
        Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = controller, [InstanceTags.CellId] = $"cell-{token}" },
    };

    private sealed class FakeInstaller : IMachineInstaller
    {
        private readonly List<string> _calls = [];

        public bool Fails { get; set; }

        public IReadOnlyList<string> Calls => _calls;

        public Task InstallAsync(OwnMachine machine, string image, string userData, CancellationToken cancellationToken) => Note("install", machine);

        public Task WipeAsync(OwnMachine machine, CancellationToken cancellationToken) => Note("wipe", machine);

        private Task Note(string what, OwnMachine machine)
        {
            lock (_calls)
            {
                _calls.Add($"{what} {machine.Name}");
            }

            return Fails ? throw new IOException("no answer") : Task.CompletedTask;
        }
    }
}
