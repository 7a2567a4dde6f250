using Kip.Drivers.Aws;
using Kip.Drivers.Local;
using Kip.Host.Configuration;
using Kip.Host.Node;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Host.Tests.Node;

public sealed class NodeCloudTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kip-node-cloud-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Open_Local_IsTheLocalDriver()
    {
        using var cloud = Open(new LocalConfiguration());

        Assert.IsType<LocalDriver>(cloud.Driver);
        Assert.Equal(("kip.db", "kip-abc"), (cloud.RecordFile, cloud.Driver.Description.ControllerId));
    }

    [Fact]
    public void Open_Aws_IsTheAwsDriverWithRecordsOfItsOwn()
    {
        using var cloud = Open(new AwsConfiguration { Region = "eu-west-1" });

        Assert.IsType<AwsDriver>(cloud.Driver);
        Assert.Equal(("aws.db", "eu-west-1", "kip-abc"), (cloud.RecordFile, cloud.Driver.Description.Region, cloud.Driver.Description.ControllerId));
    }

    [Fact]
    public void Open_CloudWithoutADriver_SaysWhichThereAre()
    {
        var e = Assert.Throws<HostException>(() => Open(new GceConfiguration()));

        Assert.Equal("this version of kip has drivers for cloud.local and cloud.aws only", e.Message);
    }

    [Fact]
    public void Open_FileOfPricesThatIsNone_SaysWhatIsWrongWithIt()
    {
        var path = Path.Combine(_folder, "prices");
        File.WriteAllText(path, "t3.nano 0.0052\n");

        var e = Assert.Throws<HostException>(() => Open(new AwsConfiguration { Region = "eu-west-1" }, path));

        Assert.StartsWith($"{path}: line 1: must be 'kip-catalog 1'", e.Message, StringComparison.Ordinal);
    }

    private NodeCloud Open(CloudConfiguration cloud, string? prices = null)
    {
        var host = new HostSettings(_folder, new ProviderConfiguration { Cloud = cloud }, new LocalConfiguration(), "/agent", [], [], [], []);
        return NodeCloud.Open(host, prices, "abc", TimeProvider.System, NullLoggerFactory.Instance);
    }
}
