using Kip.Agent.Tests.Support;
using Kip.Agent.Volumes;
using Kip.Agent.Volumes.Disks;

namespace Kip.Agent.Tests.Volumes.Disks;

public sealed class VolumeOwnershipTests : IDisposable
{
    private const uint Group = 4321;
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-ownership-test-").FullName;
    private readonly string _outside = Path.GetTempFileName();

    public VolumeOwnershipTests()
    {
        Directory.CreateDirectory(At("sub"));
        File.WriteAllText(At("sub/file"), "x");
        File.SetUnixFileMode(At("sub/file"), (UnixFileMode)0b100_000_000);
        File.CreateSymbolicLink(At("link"), _outside);
        File.CreateSymbolicLink(At("up"), "/");
    }

    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        File.Delete(_outside);
    }

    [RootFact]
    public void Apply_Always_ChangesEverythingBelow_AndNothingThatLinksLeadTo()
    {
        var outside = LinuxCalls.Status(_outside);
        VolumeOwnership.Apply(_directory, Group, onRootMismatch: false);

        Assert.Equal((Group, 0b110_110_000), Of("sub/file"));
        Assert.Equal((Group, 0b010_111_111_101), Of("sub"));
        Assert.Equal(Group, Of(".").Group);
        Assert.Equal(outside, LinuxCalls.Status(_outside));
        Assert.NotEqual(Group, LinuxCalls.Status("/")!.Value.Group);
    }

    [RootFact]
    public void Apply_OnRootMismatch_LeavesAVolumeWhoseRootIsRight()
    {
        VolumeOwnership.Apply(_directory, Group, onRootMismatch: true);
        Assert.Equal(Group, Of("sub/file").Group);

        LinuxCalls.SetOwner(At("sub/file"), null, 1);
        VolumeOwnership.Apply(_directory, Group, onRootMismatch: true);
        Assert.Equal(1u, Of("sub/file").Group);

        VolumeOwnership.Apply(_directory, Group, onRootMismatch: false);
        Assert.Equal(Group, Of("sub/file").Group);

        VolumeOwnership.Apply(_directory, Group + 1, onRootMismatch: true);
        Assert.Equal(Group + 1, Of("sub/file").Group);
    }

    private string At(string path) => Path.Combine(_directory, path);

    private (uint Group, int Permissions) Of(string path) => LinuxCalls.Status(At(path)) is { } status ? (status.Group, status.Permissions) : default;
}
