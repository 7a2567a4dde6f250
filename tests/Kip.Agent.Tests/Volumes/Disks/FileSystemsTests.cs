using Kip.Agent.Tests.Support;
using Kip.Agent.Volumes;
using Kip.Agent.Volumes.Disks;

namespace Kip.Agent.Tests.Volumes.Disks;

/// <summary>Real disks, by loop devices; NFS, which not every kernel has, by the command that would be run.</summary>
public sealed class FileSystemsTests : IDisposable
{
    private readonly string _target = Directory.CreateTempSubdirectory("kip-mount-test-").FullName;
    private readonly List<string> _commands = [];
    private readonly FileSystems _fileSystems;

    public FileSystemsTests() => _fileSystems = new FileSystems((program, arguments) =>
    {
        _commands.Add($"{program} {string.Join(' ', arguments)}");
        return SystemCommand.Run(program, arguments);
    });

    public void Dispose()
    {
        while (MountTable.IsMounted(_target))
        {
            LinuxCalls.Unmount(_target);
        }

        Directory.Delete(_target);
    }

    [RootFact]
    public void Mount_OfEmptyDisk_MakesAFileSystemOnce_AndKeepsWhatIsWritten()
    {
        using var disk = new LoopDisk();
        _fileSystems.Mount(disk.Device, _target, "", ["noatime"], readOnly: false);
        Assert.Contains(File.ReadLines("/proc/mounts"), line => line.StartsWith($"{disk.Device} {_target} ext4 rw,noatime", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(_target, "file"), "kept");
        Assert.True(LinuxCalls.TryUnmount(_target));
        Assert.Contains("Filesystem state:         clean", LoopDisk.Run("dumpe2fs", "-h", disk.Device), StringComparison.Ordinal);

        _fileSystems.Mount(disk.Device, _target, "ext4", [], readOnly: false);
        Assert.Equal("kept", File.ReadAllText(Path.Combine(_target, "file")));
        Assert.Equal(["mkfs.ext4", "fsck"], _commands.Select(static c => c.Split(' ')[0]).Where(static p => p is "mkfs.ext4" or "fsck"));
        Assert.True(LinuxCalls.TryUnmount(_target));
    }

    [RootFact]
    public void Mount_ReadOnly_NeitherFormatsNorChecksNorWrites()
    {
        using var disk = new LoopDisk();
        var error = Assert.Throws<VolumeException>(() => _fileSystems.Mount(disk.Device, _target, "ext4", [], readOnly: true));
        Assert.Contains("cannot mount unformatted disk", error.Message, StringComparison.Ordinal);

        LoopDisk.Run("mkfs.ext4", "-q", disk.Device);
        _commands.Clear();
        _fileSystems.Mount(disk.Device, _target, "ext4", [], readOnly: true);
        Assert.Throws<IOException>(() => File.WriteAllText(Path.Combine(_target, "file"), "x"));
        Assert.Equal(["blkid", "mount"], _commands.Select(static c => c.Split(' ')[0]));
        Assert.True(LinuxCalls.TryUnmount(_target));
    }

    [RootFact]
    public void Mount_OfDiskWithSomethingElse_NeverFormats()
    {
        using var disk = new LoopDisk();
        LoopDisk.Run("mkswap", disk.Device);
        var error = Assert.Throws<VolumeException>(() => _fileSystems.Mount(disk.Device, _target, "ext4", [], readOnly: false));
        Assert.Contains("failed to mount the volume as \"ext4\", it already contains swap", error.Message, StringComparison.Ordinal);

        // A partition table with one partition: type 83, from sector 2048, 1,024 sectors.
        LoopDisk.Run("sh", "-c", $"wipefs -a {disk.Device} >/dev/null; printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\010\\0\\0\\0\\004\\0\\0' | dd of={disk.Device} bs=1 seek=446 conv=notrunc 2>/dev/null; printf '\\125\\252' | dd of={disk.Device} bs=1 seek=510 conv=notrunc 2>/dev/null");
        error = Assert.Throws<VolumeException>(() => _fileSystems.Mount(disk.Device, _target, "", [], readOnly: false));
        Assert.Contains("unknown data, probably partitions (dos)", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_commands, static c => c.StartsWith("mkfs", StringComparison.Ordinal));
        Assert.Contains("dos", LoopDisk.Run("blkid", "-p", disk.Device), StringComparison.Ordinal);
    }

    [RootFact]
    public void Mount_OfDirtyDisk_IsRepairedFirst()
    {
        using var disk = new LoopDisk();
        LoopDisk.Run("mkfs.ext4", "-q", disk.Device);
        LoopDisk.Run("debugfs", "-w", "-R", "ssv free_blocks_count 1", disk.Device);
        LoopDisk.Run("debugfs", "-w", "-R", "ssv state 0", disk.Device);

        var before = "";
        var fileSystems = new FileSystems((program, arguments) =>
        {
            before = program == "mount" ? LoopDisk.Run("dumpe2fs", "-h", disk.Device) : before;
            return SystemCommand.Run(program, arguments);
        });

        fileSystems.Mount(disk.Device, _target, "", [], readOnly: false);

        Assert.Matches("Filesystem state: +clean\n", before);
        Assert.DoesNotMatch("Free blocks: +1\n", before);
        Assert.True(LinuxCalls.TryUnmount(_target));
    }

    [RootFact]
    public void Mount_OfDiskThatIsNotThere_SaysSo_AndFormatsNothing()
    {
        var error = Assert.Throws<VolumeException>(() => _fileSystems.Mount("/dev/kip-none", _target, "", [], readOnly: false));
        Assert.Contains("/dev/kip-none cannot be read", error.Message, StringComparison.Ordinal);
        Assert.Empty(_commands);
    }

    [Theory]
    [InlineData("nfs.example", "/export", false, "mount -t nfs -o rw,vers=4.2,hard nfs.example:/export /target")]
    [InlineData("fd00::1", "/export/a b", true, "mount -t nfs -o ro,vers=4.2,hard [fd00::1]:/export/a b /target")]
    public void MountNfs_Always_AsksMountForIt(string server, string path, bool readOnly, string command)
    {
        var commands = new List<string>();
        var fileSystems = new FileSystems((program, arguments) =>
        {
            commands.Add($"{program} {string.Join(' ', arguments)}");
            return new CommandResult(0, "", "");
        });

        fileSystems.MountNfs(server, path, "/target", ["vers=4.2", "hard"], readOnly);

        Assert.Equal([command], commands);
    }

    [RootFact]
    public void MountNfs_ThatTheCellCannotMount_SaysWhatAndWhy()
    {
        var error = Assert.Throws<VolumeException>(() => _fileSystems.MountNfs("127.0.0.1", "/none", _target, ["retry=0", "timeo=1", "soft"], readOnly: false));
        Assert.StartsWith("mount of NFS export 127.0.0.1:/none failed: ", error.Message, StringComparison.Ordinal);
    }
}
