using System.ComponentModel;
using System.Diagnostics;

namespace Kip.Agent.Volumes.Disks;

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">What it wrote to standard output.</param>
/// <param name="Errors">What it wrote to standard error.</param>
internal sealed record CommandResult(int ExitCode, string Output, string Errors)
{
    /// <summary>What it said, in one line.</summary>
    public string Words => string.Join("; ", $"{Output}\n{Errors}".Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}

/// <summary>Runs one of the cell's own programs to its end, and says how that was.</summary>
/// <param name="program">Name of the program.</param>
/// <param name="arguments">Its arguments.</param>
/// <exception cref="VolumeException">It is not there, or does not end.</exception>
internal delegate CommandResult RunCommand(string program, params IReadOnlyList<string> arguments);

/// <summary>The programs for disks: blkid, fsck, mkfs, mount.</summary>
internal static class SystemCommand
{
    private static readonly string[] _directories = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

    // A check of a large file system takes minutes.
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(30);

    /// <inheritdoc cref="RunCommand"/>
    public static CommandResult Run(string program, params IReadOnlyList<string> arguments)
    {
        // The agent may have been started with a path without the administrator's programs.
        var start = new ProcessStartInfo(Find(program), arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        try
        {
            using var process = Process.Start(start) ?? throw new VolumeException($"{program} did not start");
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(_limit))
            {
                process.Kill();
                throw new VolumeException($"{program} did not end within {_limit.TotalMinutes:0} minutes");
            }

            process.WaitForExit();
            return new CommandResult(process.ExitCode, output.GetAwaiter().GetResult(), errors.GetAwaiter().GetResult());
        }
        catch (Win32Exception e)
        {
            throw new VolumeException($"the cell cannot run {program}: {e.Message}", e);
        }
    }

    private static string Find(string program) =>
        _directories.Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists) ?? program;
}
