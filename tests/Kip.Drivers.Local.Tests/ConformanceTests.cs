using Kip.Testing;

namespace Kip.Drivers.Local.Tests;

/// <summary>The rules that hold for every driver, with real cells. Their agent never answers: a launch must not wait for it.</summary>
public sealed class ConformanceTests : IAsyncLifetime
{
    private readonly TestMachine _machine = new("#!/bin/sh\nexec sleep 100000\n");

    public static TheoryData<string> Names => [.. DriverConformance.Checks.Select(check => check.Name)];

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _machine.DisposeAsync();

    [RootTheory, MemberData(nameof(Names))]
    public async Task Driver_Always_Conforms(string check)
    {
        await DriverConformance.RunAsync(
            check,
            new DriverConformanceOptions
            {
                CreateDriver = _machine.Driver,
                InstanceType = "local.nano",
                Zone = LocalCatalog.Zone,
                DiskBytes = 256L << 20,
                ManyInstances = 3,
                RandomSteps = 10,
                RandomInstances = 2,
                WatchTime = TimeSpan.FromSeconds(1),
                PollInterval = TimeSpan.FromMilliseconds(50),
                // On a machine that is busy with other tests.
                CancellationTimeout = TimeSpan.FromSeconds(10),
            },
            TestMachine.Limit);

        Assert.Empty(await _machine.LeftoversAsync());
    }
}
