using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Drivers.Aws.Tests;

/// <summary>The rules that hold for every driver, against moto over HTTP, with EC2's client tokens put in front.</summary>
[Collection(MotoServer.Collection)]
public sealed class ConformanceTests(MotoServer server) : IDisposable
{
    private readonly IdempotentMoto _moto = new(server);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(3));

    public static TheoryData<string> Names => [.. DriverConformance.Checks.Concat(DriverConformance.VolumeChecks).Concat(DriverConformance.RouteChecks).Select(check => check.Name)];

    public void Dispose()
    {
        _moto.Dispose();
        _limit.Dispose();
    }

    [MotoTheory, MemberData(nameof(Names))]
    public Task Driver_Always_Conforms(string check) => DriverConformance.RunAsync(
        check,
        new DriverConformanceOptions
        {
            CreateDriver = _moto.MakeDriver,
            CreateVolume = CreateVolumeAsync,
            FindRoute = FindRouteAsync,
            InstanceType = "t3.nano",
            Zone = "us-east-1a",
            ManyInstances = 4,
            RandomSteps = 25,
            RandomInstances = 4,
            WatchTime = TimeSpan.FromSeconds(1),
            PollInterval = TimeSpan.FromMilliseconds(100),
            CallTimeout = TimeSpan.FromMinutes(1),
            // On a machine that is busy with other tests.
            LaunchTime = TimeSpan.FromMinutes(1),
            CancellationTimeout = TimeSpan.FromSeconds(20),
        },
        _limit.Token);

    private async Task<string?> FindRouteAsync(string range, CancellationToken cancellationToken)
    {
        var tables = await server.QueryAsync("ec2", "2016-11-15", "DescribeRouteTables", cancellationToken);
        return tables.Descendants().Where(e => e.Name.LocalName == "destinationCidrBlock" && e.Value == range)
            .Select(static e => e.Parent!.Elements().SingleOrDefault(static other => other.Name.LocalName == "instanceId")?.Value).FirstOrDefault();
    }

    private async Task<PersistentVolume> CreateVolumeAsync(CancellationToken cancellationToken)
    {
        var made = await server.QueryAsync("ec2", "2016-11-15", "CreateVolume", cancellationToken, ("AvailabilityZone", "us-east-1a"), ("Size", "1"), ("VolumeType", "gp3"));
        var id = made.Elements().Single(static element => element.Name.LocalName == "volumeId").Value;
        return new PersistentVolume { Spec = new PersistentVolumeSpec { Csi = new CsiPersistentVolumeSource { Driver = "ebs.csi.aws.com", VolumeHandle = id } } };
    }
}
