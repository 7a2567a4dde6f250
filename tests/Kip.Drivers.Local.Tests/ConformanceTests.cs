using Kip.Drivers.Local.Host;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Drivers.Local.Tests;

/// <summary>The rules that hold for every driver, with real cells. Their agent never answers: a launch must not wait for it.</summary>
public sealed class ConformanceTests : IAsyncLifetime
{
    private readonly TestMachine _machine = new("#!/bin/sh\nexec sleep 100000\n");

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("kip-volumes-");
    private readonly List<string> _images = [];

    public static TheoryData<string> Names => [.. DriverConformance.Checks.Concat(DriverConformance.VolumeChecks).Select(check => check.Name)];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _machine.DisposeAsync();
        _directory.Delete(recursive: true);
    }

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
                CreateVolume = _ => Task.FromResult(MakeVolume()),
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
        Assert.Empty(_images.SelectMany(LoopDevices.Of));
    }

    private PersistentVolume MakeVolume()
    {
        var image = Path.Combine(_directory.FullName, $"{_images.Count}.img");
        using (var file = File.Create(image))
        {
            file.SetLength(16 << 20);
        }

        _images.Add(image);
        return new PersistentVolume { Metadata = new ObjectMeta { Name = "volume" }, Spec = new PersistentVolumeSpec { Local = new LocalVolumeSource { Path = image } } };
    }
}
