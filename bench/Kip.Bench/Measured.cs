using System.Diagnostics;
using System.Globalization;

namespace Kip.Bench;

/// <summary>Medians, tables and child processes.</summary>
internal static class Measured
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? double.NaN : sorted[sorted.Count / 2];
    }

    public static string Milliseconds(double value) => string.Create(CultureInfo.InvariantCulture, $"{value,8:0} ms");

    public static string Machine() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Environment.ProcessorCount} processors, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB, load {File.ReadAllText("/proc/loadavg").Split(' ')[0]} before");

    /// <summary>Starts a program and tells when its first line of standard output came, in milliseconds from its start.</summary>
    public static async Task<(double FirstOutput, string Errors)> FirstOutputAsync(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        var begin = Stopwatch.GetTimestamp();
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start");
        var errors = process.StandardError.ReadToEndAsync();
        var line = await process.StandardOutput.ReadLineAsync();
        var first = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 && line is not null
            ? (first, await errors)
            : throw new InvalidOperationException($"{start.FileName} exited with {process.ExitCode}: {await errors}");
    }
}
