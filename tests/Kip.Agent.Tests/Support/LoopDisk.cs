using System.Diagnostics;

namespace Kip.Agent.Tests.Support;

/// <summary>A disk of this machine: a file behind a loop device.</summary>
internal sealed class LoopDisk : IDisposable
{
    public LoopDisk(long bytes = 64 << 20)
    {
        Image = Path.Combine(Path.GetTempPath(), $"kip-disk-{Guid.NewGuid():N}.img");
        using (var file = File.Create(Image))
        {
            file.SetLength(bytes);
        }

        Device = Run("losetup", "--find", "--show", Image).Trim();
    }

    public string Image { get; }

    public string Device { get; }

    /// <summary>Runs a program of this machine.</summary>
    public static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {errors.Result}");
    }

    public void Dispose()
    {
        Run("losetup", "--detach", Device);
        File.Delete(Image);
    }
}
