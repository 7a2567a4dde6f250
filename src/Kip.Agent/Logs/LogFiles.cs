using System.Globalization;

namespace Kip.Agent.Logs;

/// <summary>
/// Where the log of a container's run lies: <c>CONTAINER/RUN.log</c>, which the runtime writes, and <c>RUN.log.TIME</c>, which rotation
/// renamed. Names sort by time.
/// </summary>
internal static class LogFiles
{
    public static string Current(string directory, string container, uint run) =>
        Path.Combine(directory, container, string.Create(CultureInfo.InvariantCulture, $"{run}.log"));

    public static string Rotated(string current, DateTimeOffset time) =>
        $"{current}.{time.UtcDateTime.ToString("yyyyMMdd-HHmmss.fffffff", CultureInfo.InvariantCulture)}";

    /// <summary>The rotated files of a run, oldest first.</summary>
    public static List<string> AllRotated(string current)
    {
        var directory = Path.GetDirectoryName(current)!;
        return Directory.Exists(directory)
            ? [.. Directory.EnumerateFiles(directory)
                .Where(path => path.StartsWith(current + ".", StringComparison.Ordinal)).Order(StringComparer.Ordinal)]
            : [];
    }
}
