using Kip.Agent.Tests.Support;
using Kip.Agent.Volumes;

namespace Kip.Agent.Tests.Volumes;

public sealed class AtomicDirectoryTests : IDisposable
{
    private static readonly DateTimeOffset _now = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-atomic-test-").FullName;

    [RootFact]
    public void Write_Twice_SwapsTheLinkAndLeavesOneDirectory()
    {
        Assert.True(Write(null, File("a", "1"), File("sub/b", "2")));
        Assert.True(Write(null, File("a", "3"), File("c", "4")));

        Assert.Equal(["..2026_11_22_10_00_00.1", "..data", "a", "c"], Names());
        Assert.Equal("..2026_11_22_10_00_00.1", new FileInfo(PathOf("..data")).LinkTarget);
        Assert.Equal("..data/a", new FileInfo(PathOf("a")).LinkTarget);
        Assert.Equal(("3", "4"), (System.IO.File.ReadAllText(PathOf("a")), System.IO.File.ReadAllText(PathOf("c"))));
    }

    [RootFact]
    public void Write_WithTheSame_ChangesNothing()
    {
        Write(7, File("a", "1"), File("sub/b", "2"));
        var before = new FileInfo(PathOf("..data")).LinkTarget;

        Assert.False(Write(7, File("sub/b", "2"), File("a", "1")));
        Assert.Equal(before, new FileInfo(PathOf("..data")).LinkTarget);
        Assert.True(Write(7, File("sub/b", "2"), File("a", "1") with { Mode = 0b110_000_000 }));
        Assert.True(Write(8, File("sub/b", "2"), File("a", "1") with { Mode = 0b110_000_000 }));
    }

    [RootFact]
    public void Write_WithAGroup_LetsTheGroupReadAndNobodyElse()
    {
        Write(4321, File("sub/token", "secret") with { Mode = 0b110_000_000, Owner = 1234 });

        var file = LinuxCalls.Status(PathOf("sub/token"))!.Value;
        Assert.Equal((0b110_100_000, 1234u, 4321u), (file.Permissions, file.Owner, file.Group));
        var directory = LinuxCalls.Status(PathOf("sub"))!.Value;
        Assert.Equal((0b010_111_101_101, 4321u), (directory.Permissions, directory.Group));
    }

    [RootFact]
    public void Write_AfterAWriterThatWasKilled_RemovesWhatItLeft()
    {
        Write(null, File("a", "1"));
        Directory.CreateDirectory(PathOf("..2026_11_22_09_59_59.0/half"));
        System.IO.File.CreateSymbolicLink(PathOf("..data_tmp"), "nowhere");
        System.IO.File.Delete(PathOf("a"));

        Write(null, File("a", "1"));
        Assert.Equal("1", System.IO.File.ReadAllText(PathOf("a")));
        Write(null, File("a", "2"));

        Assert.Equal(["..2026_11_22_10_00_00.1", "..data", "a"], Names());
    }

    [RootFact]
    public void Write_OfNothing_IsEmptyAndWritten()
    {
        Assert.False(AtomicDirectory.IsWritten(_directory));
        Assert.True(Write(null));
        Assert.True(AtomicDirectory.IsWritten(_directory));
        Assert.Equal(["..2026_11_22_10_00_00.0", "..data"], Names());
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static VolumeFile File(string path, string text) => new(path, System.Text.Encoding.UTF8.GetBytes(text), 0b110_100_100);

    private bool Write(uint? group, params VolumeFile[] files) => AtomicDirectory.Write(_directory, files, group, _now);

    private string PathOf(string name) => Path.Combine(_directory, name);

    private IEnumerable<string> Names() => Directory.EnumerateFileSystemEntries(_directory).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);
}
