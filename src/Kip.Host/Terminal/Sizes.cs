using System.Globalization;

namespace Kip.Host.Terminal;

/// <summary>How sizes are written.</summary>
internal static class Sizes
{
    public static string Cpu(long milliCpu) => (milliCpu / 1000m).ToString("0.###", CultureInfo.InvariantCulture);

    public static string Memory(long bytes) => bytes < 1L << 30
        ? (bytes >> 20).ToString(CultureInfo.InvariantCulture) + "Mi"
        : (bytes / (decimal)(1L << 30)).ToString("0.##", CultureInfo.InvariantCulture) + "Gi";
}
