using System.Diagnostics;
using System.Globalization;
using Kip.Agent.Storage;

namespace Kip.Agent.Tests.Storage;

public sealed class DiskUsageTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-disk-usage-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Of_FilesDirectoriesHolesAndLinks_IsWhatDuSays()
    {
        var sub = Directory.CreateDirectory(Path.Combine(_directory, "a", "b")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(sub, "file"), new byte[300_000]);
        await File.WriteAllBytesAsync(Path.Combine(_directory, "small"), [1]);
        await using (var holes = File.Create(Path.Combine(_directory, "holes")))
        {
            holes.SetLength(1 << 30);
        }

        Run("ln", Path.Combine(sub, "file"), Path.Combine(_directory, "again"));
        File.CreateSymbolicLink(Path.Combine(_directory, "loop"), _directory);
        File.CreateSymbolicLink(Path.Combine(_directory, "elsewhere"), "/usr");

        var used = DiskUsage.Of(_directory, CancellationToken.None);

        var du = long.Parse(Run("du", "-sx", "--block-size=1", _directory).Split('\t')[0], CultureInfo.InvariantCulture);
        Assert.Equal(du, used);
        Assert.InRange(used, 300_000, 1_000_000);
    }

    [Fact]
    public void Of_NoDirectory_IsNothing() => Assert.Equal(0, DiskUsage.Of(Path.Combine(_directory, "absent"), CancellationToken.None));

    private static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
