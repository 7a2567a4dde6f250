using Kip.Agent.Tests.Support;
using Kip.Agent.Volumes;
using Kip.Agent.Volumes.Disks;
using Kip.Agents.Protocol;

namespace Kip.Agent.Tests.Volumes.Disks;

public sealed class BlockDevicesTests : IDisposable
{
    private readonly string _sys = Directory.CreateTempSubdirectory("kip-sys-test-").FullName;

    public void Dispose() => Directory.Delete(_sys, recursive: true);

    [RootFact]
    public void Find_ByPath_TakesTheFirstThatExists_AndFollowsLinks()
    {
        using var disk = new LoopDisk();
        var link = Path.Combine(_sys, "by-id");
        File.CreateSymbolicLink(link, disk.Device);

        Assert.Equal(disk.Device, new BlockDevices().Find(new DeviceLocation { Paths = { "/dev/kip-none", "/dev/null", link } }));
    }

    [Theory]
    [InlineData("nvme1n1/device/serial", "vol0123456789abcdef0  \n", "/dev/nvme1n1")]
    [InlineData("vdb/serial", "vol0123456789abcdef0", "/dev/vdb")]
    public void Find_BySerial_LooksWhereTheKernelHasIt(string file, string content, string device)
    {
        Write("sda/device/model", "other");
        Write("nvme0n1/device/serial", "vol0");
        Write(file, content);

        Assert.Equal(device, new BlockDevices(_sys).Find(new DeviceLocation { Paths = { "/dev/kip-none" }, Serial = "vol0123456789abcdef0" }));
    }

    [Fact]
    public void Find_OfWhatIsNotThere_SaysWhatItLookedFor()
    {
        Write("vda/serial", "");
        var error = Assert.Throws<VolumeException>(() => new BlockDevices(_sys).Find(new DeviceLocation { Paths = { "/dev/kip-none" }, Serial = "vol1" }));
        Assert.Equal("its device has not shown up yet (/dev/kip-none, serial vol1)", error.Message);
    }

    private void Write(string file, string content)
    {
        var path = Path.Combine(_sys, "block", file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }
}
